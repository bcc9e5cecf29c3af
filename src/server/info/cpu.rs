//! INFO cpu: processor time of this process and of its main thread, in seconds.

use crate::base::process::CpuTimes;
use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# CPU`
pub fn write(_: &mut Turn<'_>, info: &mut InfoWriter) {
    let process = CpuTimes::of_process();
    let thread = CpuTimes::of_thread();
    info.section("CPU");
    for (name, seconds) in [
        ("used_cpu_sys", process.system),
        ("used_cpu_user", process.user),
        ("used_cpu_sys_children", process.children_system),
        ("used_cpu_user_children", process.children_user),
        ("used_cpu_sys_main_thread", thread.system),
        ("used_cpu_user_main_thread", thread.user),
    ] {
        info.field(name, format_args!("{seconds:.6}"));
    }
}
