//! What is to be looked at, each workload once at a time and never twice for one burst of changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Context;
use super::reconcile::reconcile;
use super::registry::{roots, signers};
use crate::subject::SubjectKey;

/// A reason to look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// At one workload.
    Subject(SubjectKey),
    /// At every workload of a namespace.
    Namespace(String),
    /// At every workload whose track names this Signer.
    Signer(String),
    /// At every workload whose track names a Signer under this TrustRoot.
    TrustRoot(String),
    /// At every workload whose track names a Signer under a TrustRoot that reads this ConfigMap.
    ConfigMap(String),
    /// At every workload.
    All,
}

/// Where reasons are put.
#[derive(Clone)]
pub struct Sender(mpsc::UnboundedSender<ScheduleRequest<Trigger>>);

/// Where they come out.
pub type Requests = mpsc::UnboundedReceiver<ScheduleRequest<Trigger>>;

/// A new queue.
pub fn channel() -> (Sender, Requests) {
    let (sender, requests) = mpsc::unbounded_channel();
    (Sender(sender), requests)
}

impl Sender {
    /// Look now, or in a moment: more reasons may follow. Further ones do not put it off, or else a workload that
    /// changes all the time would never be judged.
    pub fn send(&self, trigger: Trigger) {
        self.send_at(trigger, Instant::now() + GATHER);
    }

    /// Look then, unless there is a reason to look earlier.
    pub fn send_at(&self, trigger: Trigger, at: Instant) {
        // The receiver goes only when the operator stops leading.
        let _ = self.0.send(ScheduleRequest {
            message: trigger,
            run_at: at,
        });
    }
}

/// One rollout changes its objects many times within moments.
const GATHER: Duration = Duration::from_millis(150);

/// Works through the queue until the operator stops leading.
pub async fn run(context: Arc<Context>, mut requests: Requests) {
    let requests = futures::stream::poll_fn(move |cx| requests.poll_recv(cx));
    let mut schedule = std::pin::pin!(scheduler(requests));
    let mut running = HashSet::new();
    let mut workers: JoinSet<SubjectKey> = JoinSet::new();
    context.queue.send(Trigger::All);
    loop {
        let free = workers.len() < context.settings.concurrency;
        let mut next = schedule.as_mut().hold_unless(|trigger| match trigger {
            Trigger::Subject(subject) => free && !running.contains(subject),
            _ => true,
        });
        tokio::select! {
            trigger = next.next() => match trigger {
                Some(Trigger::Subject(subject)) => {
                    running.insert(subject.clone());
                    let context = Arc::clone(&context);
                    workers.spawn(async move {
                        reconcile(&context, &subject).await;
                        subject
                    });
                }
                Some(wide) => expand(&context, &wide),
                None => return,
            },
            Some(done) = workers.join_next() => match done {
                Ok(subject) => {
                    running.remove(&subject);
                }
                Err(error) => {
                    // A panic in one reconcile must not block its workload for ever: start over with a clean slate.
                    tracing::error!(%error, "a reconcile ended abnormally");
                    running.clear();
                    workers.abort_all();
                    while workers.join_next().await.is_some() {}
                    context.queue.send_at(Trigger::All, Instant::now() + Duration::from_secs(10));
                }
            },
        }
    }
}

fn expand(context: &Context, trigger: &Trigger) {
    let concerned = match trigger {
        Trigger::Signer(name) => Some(vec![name.clone()]),
        Trigger::TrustRoot(name) => Some(signers::trusting(&context.sources, name)),
        Trigger::ConfigMap(name) => {
            let roots = roots::reading(&context.sources, name).into_iter();
            Some(
                roots
                    .flat_map(|root| signers::trusting(&context.sources, &root))
                    .collect(),
            )
        }
        _ => None,
    };
    if let Some(signers) = concerned {
        for subject in signers.iter().flat_map(|signer| context.evidence.naming(signer)) {
            context.queue.send(Trigger::Subject(subject));
        }
        return;
    }
    let concerned = |subject: &SubjectKey| match trigger {
        Trigger::All => true,
        Trigger::Namespace(namespace) => subject.namespace == *namespace,
        Trigger::Subject(one) => subject == one,
        Trigger::Signer(_) | Trigger::TrustRoot(_) | Trigger::ConfigMap(_) => false,
    };
    for subject in context.sources.subjects().into_iter().filter(concerned) {
        context.queue.send(Trigger::Subject(subject));
    }
}
