//! Candidates for an unfinished command line, as kubectl wants them of a plugin.

use clap::{Arg, ArgAction, Command, CommandFactory as _, ValueHint};

use crate::cli::Cli;

/// What the shell may offer beside the candidates: cobra's `ShellCompDirective`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// Files, where there is no candidate.
    Files = 0,
    /// Nothing.
    Nothing = 4,
    /// Directories.
    Directories = 16,
}

/// A value or flag, and what is said of it.
type Candidate = (String, String);

/// The candidates for the last of `words`, the others being finished: one a line, with its description after a tab, and
/// on the last line what the shell may offer beside them.
///
/// The format is that of cobra's `__complete`, which kubectl reads from `kubectl_complete-l5d_rotate`.
#[must_use]
pub fn complete(words: &[String]) -> String {
    let mut root = Cli::command();
    root.build();
    let (last, finished) = words.split_last().map_or(("", words), |(last, rest)| (last.as_str(), rest));
    let line = finished.iter().fold(Line::new(&root), |line, word| line.after(word));
    let (typed, candidates, directive) = line.candidates(last);
    let mut lines: Vec<String> = candidates
        .into_iter()
        .filter(|(value, _)| value.starts_with(typed))
        .map(|(value, about)| if about.is_empty() { value } else { format!("{value}\t{about}") })
        .collect();
    lines.push(format!(":{}\n", directive as u8));
    lines.join("\n")
}

/// What the finished words say about the one that follows.
struct Line<'a> {
    command: &'a Command,
    /// The flag whose value comes next.
    open: Option<&'a Arg>,
    given: Vec<&'a Arg>,
    positionals: usize,
    /// After `--` nothing is a flag.
    escaped: bool,
}

impl<'a> Line<'a> {
    fn new(command: &'a Command) -> Self {
        Self { command, open: None, given: Vec::new(), positionals: 0, escaped: false }
    }

    fn after(mut self, word: &str) -> Self {
        if self.open.take().is_some() {
            return self;
        }
        match word.strip_prefix('-').filter(|rest| !self.escaped && !rest.is_empty()) {
            Some("-") => self.escaped = true,
            Some(rest) => match rest.strip_prefix('-') {
                Some(long) => self.flag(self.long(long), !long.contains('=')),
                None => self.cluster(rest),
            },
            None => match self.verb(word) {
                Some(verb) => self.command = verb,
                None => self.positionals += 1,
            },
        }
        self
    }

    /// Short flags in one word: the first that takes a value has the rest for it, or the next word.
    fn cluster(&mut self, letters: &str) {
        for (at, letter) in letters.char_indices() {
            let flag = self.command.get_arguments().find(|arg| arg.get_short() == Some(letter));
            self.flag(flag, at + letter.len_utf8() == letters.len());
            if flag.is_some_and(|flag| flag.get_action().takes_values()) {
                return;
            }
        }
    }

    fn flag(&mut self, flag: Option<&'a Arg>, value_follows: bool) {
        self.open = flag.filter(|flag| value_follows && flag.get_action().takes_values());
        self.given.extend(flag);
    }

    /// The flag of a word such as `dir` or `dir=rotation`.
    fn long(&self, word: &str) -> Option<&'a Arg> {
        let name = word.split('=').next();
        self.command.get_arguments().find(|arg| arg.get_long() == name)
    }

    fn verb(&self, word: &str) -> Option<&'a Command> {
        (self.positionals == 0 && !self.escaped).then(|| self.command.find_subcommand(word))?
    }

    /// The part of `last` that candidates begin with, the candidates, and what else may be offered.
    fn candidates<'w>(&self, last: &'w str) -> (&'w str, Vec<Candidate>, Directive) {
        let long = last.strip_prefix("--").filter(|_| !self.escaped);
        match (self.open, long.and_then(|long| long.split_once('='))) {
            (Some(flag), _) => (last, values(flag), directive(flag)),
            (None, Some((name, value))) => match self.long(name) {
                Some(flag) => (value, values(flag), directive(flag)),
                None => (value, Vec::new(), Directive::Nothing),
            },
            (None, None) if last.starts_with('-') && !self.escaped => {
                (last, self.flags(), Directive::Nothing)
            }
            (None, None) => {
                let positional = self.positional();
                let values = positional.map_or_else(Vec::new, values);
                let verbs = if self.positionals == 0 && !self.escaped { self.verbs() } else { Vec::new() };
                let directive = positional.map_or(Directive::Nothing, directive);
                (last, [verbs, values].concat(), directive)
            }
        }
    }

    fn verbs(&self) -> Vec<Candidate> {
        let shown = self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        shown.map(|verb| (verb.get_name().to_owned(), first_line(verb.get_about()))).collect()
    }

    /// Long flags that may still be given.
    fn flags(&self) -> Vec<Candidate> {
        let repeatable = |arg: &Arg| matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        let given = |arg: &Arg| self.given.iter().any(|given| given.get_id() == arg.get_id());
        let open = |arg: &&Arg| !arg.is_hide_set() && (repeatable(arg) || !given(arg));
        let candidate = |arg: &Arg| Some((format!("--{}", arg.get_long()?), first_line(arg.get_help())));
        self.command.get_arguments().filter(open).filter_map(candidate).collect()
    }

    /// The positional argument whose turn it is; the last one again where it takes several.
    fn positional(&self) -> Option<&'a Arg> {
        let several = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        let mut positionals = self.command.get_positionals();
        positionals.nth(self.positionals).or_else(|| self.command.get_positionals().last().filter(several))
    }
}

fn values(arg: &Arg) -> Vec<Candidate> {
    let shown = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    shown.map(|value| (value.get_name().to_owned(), first_line(value.get_help()))).collect()
}

fn directive(arg: &Arg) -> Directive {
    match arg.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::ExecutablePath => Directive::Files,
        ValueHint::DirPath => Directive::Directories,
        _ => Directive::Nothing,
    }
}

fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered after these words: candidates without their descriptions, and the directive's number.
    fn offered(line: &str) -> (Vec<String>, String) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let text = complete(&words);
        let mut lines: Vec<&str> = text.lines().collect();
        let directive = lines.pop().unwrap().to_owned();
        (lines.into_iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect(), directive)
    }

    fn candidates(line: &str) -> Vec<String> {
        offered(line).0
    }

    #[test]
    fn a_verb_is_completed_with_its_description() {
        let about = Cli::command().find_subcommand("render").unwrap().get_about().unwrap().to_string();
        assert_eq!(complete(&["ren".to_owned()]), format!("render\t{about}\n:4\n"));
    }

    #[test]
    fn every_verb_that_help_shows_is_offered_and_no_other() {
        let mut command = Cli::command();
        command.build();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        assert_eq!(candidates(""), shown.map(Command::get_name).collect::<Vec<_>>());
        assert_eq!(complete(&[]), complete(&[String::new()]));
        assert!(candidates("__").is_empty());
        assert_eq!(candidates("help exp"), ["explain"]);
    }

    #[test]
    fn phases_are_offered_where_a_phase_stands() {
        let phases = (
            ["bundle", "issuer", "prune", "remove-cross", "remove-old"].map(str::to_owned).to_vec(),
            ":4".to_owned(),
        );
        assert_eq!(offered("render "), phases);
        assert_eq!(offered("diff --dir rotation "), phases);
        assert_eq!(candidates("render i"), ["issuer"]);
        assert!(candidates("render bundle ").is_empty());
    }

    #[test]
    fn a_flag_that_awaits_a_value_offers_its_values_however_it_is_written() {
        for line in
            ["check -o ", "check --output ", "check --output=", "check -Ro ", "check --at 2026-01-01 -o "]
        {
            assert_eq!(candidates(line), ["table", "json", "short", "yaml", "prometheus", "name"], "{line}");
        }
        assert_eq!(
            candidates("render bundle --restart-annotation=kub"),
            ["kubectl.kubernetes.io/restartedAt"]
        );
    }

    #[test]
    fn a_value_that_looks_like_a_verb_or_a_flag_is_a_value() {
        assert_eq!(candidates("--context render pl"), ["plan"]);
        assert_eq!(candidates("--context -- pl"), ["plan"]);
        assert_eq!(candidates("-nrender pl"), ["plan"]);
        assert_eq!(candidates("--context=render pl"), ["plan"]);
    }

    #[test]
    fn flags_are_offered_once_unless_they_repeat() {
        assert_eq!(candidates("start --anchor-k"), ["--anchor-key"]);
        assert!(candidates("start --anchor-key k.pem --anchor-k").is_empty());
        assert_eq!(candidates("status -f a --filen"), ["--filename"]);
        assert_eq!(candidates("--as"), ["--as", "--as-group"]);
        assert!(candidates("check -- --o").is_empty());
        assert!(!candidates("-").contains(&"--dir".to_owned()), "a hidden flag is not offered");
    }

    #[test]
    fn files_are_left_to_the_shell_where_a_path_stands() {
        for line in
            ["status -f ", "status --filename=", "inspect ", "inspect a.pem ", "inspect -- ", "--kubeconfig "]
        {
            assert_eq!(offered(line), (Vec::new(), ":0".to_owned()), "{line}");
        }
        for line in ["status --at ", "status -n ", "version ", "render --nonsense=", "render bundle more "] {
            assert_eq!(offered(line), (Vec::new(), ":4".to_owned()), "{line}");
        }
    }

    #[test]
    fn a_directory_is_asked_for_where_the_argument_says_so() {
        let arg = Arg::new("dir").value_hint(ValueHint::DirPath);
        assert_eq!(directive(&arg), Directive::Directories);
    }
}
