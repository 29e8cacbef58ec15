//! How much the long tests do: a sample of everything they ask, or all of it where `L5D_ROTATE_TEST_FULL` is set, as in `.ci/run`.

pub(crate) fn of<T>(sample: T, full: T) -> T {
    if std::env::var_os("L5D_ROTATE_TEST_FULL").is_some() { full } else { sample }
}
