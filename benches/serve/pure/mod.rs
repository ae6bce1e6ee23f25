//! The pure parts of a request as cases, each one closure that does the work once. Criterion
//! times them in `benches/micro.rs`, and `instructions` counts them; nothing here measures.

mod parts;
mod requests;
mod site;
mod turns;

/// One piece of work that is the same each time.
pub(crate) struct Case {
    /// What it is: `turn/plain`.
    pub(crate) name: &'static str,
    /// Requests that one call works on.
    pub(crate) request_count: u32,
    prepare: Box<dyn Fn() -> Work>,
}

/// The work of a case, done once by each call.
pub(crate) type Work = Box<dyn FnMut()>;

impl Case {
    fn new(name: &'static str, prepare: impl Fn() -> Work + 'static) -> Self {
        Self {
            name,
            request_count: 1,
            prepare: Box::new(prepare),
        }
    }

    /// Makes what is needed, and gives the work.
    pub(crate) fn prepare(&self) -> Work {
        (self.prepare)()
    }
}

/// Every case, in the order of a request: its parts, then whole turns of a connection.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = parts::cases();
    cases.extend(turns::cases());
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_repeats() {
        let mut names = HashSet::new();
        for case in cases() {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            assert!(case.name.contains('/') && case.request_count > 0);
            let mut work = case.prepare();
            for _ in 0..3 {
                work();
            }
        }
    }
}
