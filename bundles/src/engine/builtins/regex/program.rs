//! A compiled regular expression and the search for its matches, leftmost-first as in Go.
//!
//! Every search counts its steps, so that no pattern and no text can hold a decision up: a lazy automaton
//! looks for the end of a match, and within what it has read the slower Pike machine for the rest.

use std::collections::HashSet;

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{Compiler, Config, NFA};
use regex_automata::util::primitives::NonMaxUsize;

use super::super::Failure;
use super::syntax;

/// Steps of all searches of one call: about a second, some at the very worst.
pub(in crate::engine::builtins) const MAX_STEPS: usize = 1 << 28;
/// Bounds of groups that the Pike machine keeps, all for each state.
const MAX_SLOTS: usize = 1 << 21;
/// Bounds that it copies in one step.
const STEP_SLOTS: usize = 16;
/// What the lazy automaton keeps, in bytes.
const CACHE_BYTES: usize = 1024 * 1024;
/// Steps that are remembered; then they count as new ones again.
const MAX_TAKEN: usize = 1 << 16;

pub(in crate::engine::builtins) struct Program {
    vm: PikeVM,
    dfa: DFA,
    /// The names of the groups; the first is the whole match, which has none.
    names: Vec<Option<String>>,
}

/// Compiles what Go would compile; a pattern that takes more than about `max_bytes` is a limit.
pub(in crate::engine::builtins) fn compile(pattern: &str, max_bytes: usize) -> Result<Program, Failure> {
    let pattern = syntax::parse(pattern, max_bytes)?;
    let too_large = || Failure::Limit(format!("a regular expression needs more than {max_bytes} bytes"));
    let nfa = Compiler::new()
        .configure(Config::new().nfa_size_limit(Some(max_bytes)))
        .build_from_hir(&pattern.hir)
        .map_err(|_| too_large())?;
    // The cache holds at least a few states, whatever their size.
    let config = DFA::config()
        .cache_capacity(CACHE_BYTES)
        .skip_cache_capacity_check(true);
    Ok(Program {
        dfa: DFA::builder()
            .configure(config)
            .build_from_nfa(nfa.clone())
            .map_err(|_| too_large())?,
        vm: PikeVM::builder().build_from_nfa(nfa).map_err(|_| too_large())?,
        names: pattern.names,
    })
}

/// The bounds of a match and of its groups in bytes, as pairs.
pub(super) type Slots = [Option<NonMaxUsize>];

impl Program {
    /// What it takes without its caches, in bytes.
    pub(in crate::engine::builtins) fn size(&self) -> usize {
        self.vm.get_nfa().memory_usage()
    }

    pub(super) fn names(&self) -> &[Option<String>] {
        &self.names
    }

    /// Takes what the search costs from the steps that are left.
    pub(in crate::engine::builtins) fn is_match(&self, text: &str, steps: &mut usize) -> Result<bool, Failure> {
        let mut search = Search::new(self, text);
        search.steps = *steps;
        let end = search.end(0)?;
        *steps = search.steps;
        Ok(end.is_some())
    }

    /// Calls `found` with up to `most` matches that do not overlap, from the left, and with the search, which its own
    /// steps are charged to. `groups` asks for the bounds of the groups too.
    pub(super) fn each_match(
        &self,
        text: &str,
        most: usize,
        groups: bool,
        mut found: impl FnMut(&Slots, &mut Search<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut search = Search::new(self, text);
        // Groups that can take no part, as in `(a){0}`, are not compiled and have no slots.
        let all = self.vm.get_nfa().group_info().slot_len();
        let mut slots = vec![None; if groups { all } else { 2 }];
        let (mut at, mut count, mut last_end) = (0, 0, None);
        while count < most && at <= text.len() {
            let Some(end) = search.end(at)? else {
                break;
            };
            search.groups(at, end, &mut slots)?;
            let start = span(&slots, 0).map(|(start, _)| start);
            // An empty match right behind another is none.
            let counts = end > at || start != last_end;
            let next = text.get(at..).and_then(|rest| rest.chars().next());
            at = if end > at {
                end
            } else {
                at + next.map_or(1, char::len_utf8)
            };
            last_end = Some(end);
            if counts {
                count += 1;
                found(&slots, &mut search)?;
            }
        }
        Ok(())
    }
}

/// The bounds of one group, if it took part in the match.
pub(super) fn span(slots: &Slots, group: usize) -> Option<(usize, usize)> {
    let bound = |index: usize| slots.get(index).copied().flatten().map(NonMaxUsize::get);
    Some((bound(2 * group)?, bound(2 * group + 1)?))
}

/// Searches in one text.
pub(super) struct Search<'a> {
    program: &'a Program,
    text: &'a str,
    dfa: dfa::Cache,
    /// Made for the first match.
    vm: Option<pikevm::Cache>,
    /// Steps that are left.
    steps: usize,
    /// Steps from marked states that were taken before: of these the automaton does not tell whether it knows them.
    taken: HashSet<(LazyStateID, u8)>,
}

impl<'a> Search<'a> {
    fn new(program: &'a Program, text: &'a str) -> Self {
        Self {
            program,
            text,
            dfa: program.dfa.create_cache(),
            vm: None,
            steps: MAX_STEPS,
            taken: HashSet::new(),
        }
    }

    fn nfa(&self) -> &NFA {
        self.program.vm.get_nfa()
    }

    pub(super) fn charge(&mut self, steps: usize) -> Result<(), Failure> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.ok_or_else(|| {
            Failure::Limit(format!(
                "a regular expression takes more steps than are left on a text of {} bytes",
                self.text.len()
            ))
        })?;
        Ok(())
    }

    /// Where the leftmost match from `at` on ends.
    fn end(&mut self, at: usize) -> Result<Option<usize>, Failure> {
        let mut from = at;
        loop {
            match self.end_in_bytes(from)? {
                // The automaton also finds empty matches within characters.
                Some(end) if !self.text.is_char_boundary(end) => from += 1,
                end => return Ok(end),
            }
        }
    }

    fn end_in_bytes(&mut self, from: usize) -> Result<Option<usize>, Failure> {
        let input = Input::new(self.text).range(from..);
        let dfa = &self.program.dfa;
        let mut state = dfa
            .start_state_forward(&mut self.dfa, &input)
            .map_err(|_| Failure::Undefined)?;
        let mut end = None;
        for (index, byte) in self.text.bytes().enumerate().skip(from) {
            if state.is_dead() {
                return Ok(end);
            }
            state = self.step(state, byte)?;
            // Matches are told one byte late.
            if state.is_match() {
                end = Some(index);
            }
        }
        let state = dfa
            .next_eoi_state(&mut self.dfa, state)
            .map_err(|_| Failure::Undefined)?;
        if state.is_match() {
            end = Some(self.text.len());
        }
        Ok(end)
    }

    fn step(&mut self, state: LazyStateID, byte: u8) -> Result<LazyStateID, Failure> {
        let dfa = &self.program.dfa;
        if !state.is_tagged() {
            let next = dfa.next_state_untagged(&self.dfa, state, byte);
            if !next.is_unknown() {
                self.charge(1)?;
                return Ok(next);
            }
        }
        // What it does not know it finds out from all states below, also where it ends in one that it has.
        let memory = self.dfa.memory_usage();
        // The cache is cleared when it is full, but never given up: this cannot fail.
        let next = dfa
            .next_state(&mut self.dfa, state, byte)
            .map_err(|_| Failure::Undefined)?;
        if self.dfa.memory_usage() < memory || self.taken.len() >= MAX_TAKEN {
            self.taken.clear();
        }
        let is_known = state.is_tagged() && !self.taken.insert((state, byte));
        self.charge(if is_known { 1 } else { self.nfa().states().len() })?;
        Ok(next)
    }

    /// The bounds of the leftmost match from `at` on, which ends at `end`.
    fn groups(&mut self, at: usize, end: usize, slots: &mut Slots) -> Result<(), Failure> {
        let states = self.nfa().states().len();
        let kept = states.saturating_mul(self.nfa().group_info().slot_len());
        if kept > MAX_SLOTS {
            return Err(Failure::Limit(format!(
                "a regular expression has too many groups for {states} states"
            )));
        }
        let copied = 1 + slots.len() / STEP_SLOTS;
        self.charge((end - at + 1).saturating_mul(states).saturating_mul(copied))?;
        slots.fill(None);
        let input = Input::new(self.text).range(at..end);
        let vm = &self.program.vm;
        let cache = self.vm.get_or_insert_with(|| vm.create_cache());
        vm.search_slots(cache, &input, slots);
        Ok(())
    }
}
