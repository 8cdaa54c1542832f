//! Child processes that never outlive the test process, even one that is killed.
//!
//! Each child runs under `setpriv --pdeathsig KILL` (util-linux), by which the kernel kills it when the *thread* that
//! started it ends. Test threads end with their test, while a control plane is shared by many; so one thread, which
//! lives as long as the process, starts all children. Where there is no `setpriv`, children are killed on drop only.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};

use anyhow::{Context as _, Result, anyhow};

/// A running program; its standard output and error go to one log file. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What error messages call it.
    pub name: String,
    /// Path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Set beside the inherited environment.
    pub environment: Vec<(String, String)>,
    /// Appended to: after a restart it holds both lives.
    pub log: PathBuf,
}

impl Recipe {
    /// `program` with `arguments`, logging to `folder/<name>.log`.
    pub fn new(name: &str, program: PathBuf, folder: &Path, arguments: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: arguments.into_iter().collect(),
            environment: Vec::new(),
            log: folder.join(format!("{name}.log")),
        }
    }

    /// The same with an environment variable set.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it. That the program answers is for the caller to await.
    pub fn start(&self) -> Result<Child> {
        let log = open_log(&self.log)?;
        let mut command = if has_setpriv() {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = on_lasting_thread(command)
            .with_context(|| format!("could not start {} ({})", self.name, self.program.display()))?;
        Ok(Child {
            name: self.name.clone(),
            process,
            log: self.log.clone(),
        })
    }
}

impl Child {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?; // no error where it has exited already
        self.process.wait()?;
        Ok(())
    }

    /// Asks it to end, as `kill` does. Await [`Child::exited`].
    pub fn terminate(&self) -> Result<()> {
        let status = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status()?;
        anyhow::ensure!(
            status.success(),
            "could not send SIGTERM to {} (pid {})",
            self.name,
            self.pid()
        );
        Ok(())
    }

    /// How it ended, or `None` while it runs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// An error with the log's tail if it has ended: there is nothing to wait for then.
    pub fn still_runs(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => Err(anyhow!(
                "{} ended ({status}); the end of its log:\n{}",
                self.name,
                self.log_tail(30)
            )),
        }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.process.stdin.as_mut().context("standard input is closed")?;
        writeln!(input, "{line}")?;
        Ok(())
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last `lines` lines it has written.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all.get(all.len().saturating_sub(lines)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// A port of 127.0.0.1 that nothing listens on now. Another process may take it before the caller does; on Linux the
/// kernel hands out such ports in an order that makes this rare.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("could not open the log {}", path.display()))
}

fn has_setpriv() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let probe = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "true"])
            .stderr(Stdio::null())
            .status();
        probe.is_ok_and(|status| status.success())
    })
}

type Order = (Command, mpsc::Sender<std::io::Result<std::process::Child>>);

/// Starts `command` from the one thread that ends only with the process.
fn on_lasting_thread(command: Command) -> Result<std::process::Child> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in received {
                drop(answer.send(command.spawn()));
            }
        });
        orders
    });
    let (answer, answered) = mpsc::channel();
    orders.send((command, answer))?;
    Ok(answered.recv()??)
}
