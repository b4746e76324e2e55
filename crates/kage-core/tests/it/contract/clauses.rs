//! A clause is written once and is a test of each backend.

/// Names the clauses, and makes a macro of that name which is a test of each.
macro_rules! clauses {
    ($each:ident of $module:ident: $($clause:ident),* $(,)?) => {
        macro_rules! $each {
            ($start:expr) => {
                $(
                    #[test]
                    fn $clause() {
                        if let Some(subject) = $start {
                            $crate::contract::$module::$clause(&subject);
                        }
                    }
                )*
            };
        }
    };
}
