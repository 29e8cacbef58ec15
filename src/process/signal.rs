//! SIGINT and SIGTERM.

/// From now on a signal that ends the program ends what was begun first; the program then ends as it would have.
///
/// # Errors
/// When the operating system does not hand signals over.
#[cfg(unix)]
pub fn end_on_signals() -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let _ended = super::end_all();
            // It fails for signals without a default alone.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// There are no such signals here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn end_on_signals() -> std::io::Result<()> {
    Ok(())
}
