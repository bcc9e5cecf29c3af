//! INFO cpu: processor time of this process and of its main thread, in seconds.

use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# CPU`
pub fn write(_: &mut Turn<'_>, info: &mut InfoWriter) {
    let process = times("/proc/self/stat");
    let thread = times("/proc/thread-self/stat");
    let children = children();
    info.section("CPU");
    for (name, seconds) in [
        ("used_cpu_sys", process.1),
        ("used_cpu_user", process.0),
        ("used_cpu_sys_children", children.1),
        ("used_cpu_user_children", children.0),
        ("used_cpu_sys_main_thread", thread.1),
        ("used_cpu_user_main_thread", thread.0),
    ] {
        info.field(name, format_args!("{seconds:.6}"));
    }
}

/// Kernel ticks per second as shown in /proc, on every Linux.
const TICKS: f64 = 100.0;

fn fields(path: &str) -> Vec<f64> {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The second field is the name in parentheses and may hold anything.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}

/// User and system time of a process or thread.
fn times(path: &str) -> (f64, f64) {
    let fields = fields(path);
    let at = |index: usize| fields.get(index).copied().unwrap_or_default() / TICKS;
    (at(11), at(12))
}

/// The same of children that ended.
fn children() -> (f64, f64) {
    let fields = fields("/proc/self/stat");
    let at = |index: usize| fields.get(index).copied().unwrap_or_default() / TICKS;
    (at(13), at(14))
}
