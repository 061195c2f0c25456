# ---- what the device is ---------------------------------------------------------------------------------

do_hello() { # text... ; says the texts back, which shows that the line is clean for all bytes
  local shell
  shell=$(shell_name)
  ok "shell=${shell##*/}" "$@"
}

shell_name() {
  local folder name blanks="$IFS"
  case ${KSH_VERSION-}:${BASH_VERSION-} in
    ?*:*) put mksh && return ;;
    *:?*) put bash && return ;;
  esac
  IFS=:
  for folder in $PATH; do
    for name in dash busybox; do
      [ ! "$folder/$name" -ef "/proc/$$/exe" ] || { IFS=$blanks && put "$folder/$name" && return; }
    done
  done
  IFS=$blanks
  readlink "/proc/$$/exe"
}

do_settings() { # what of earlier leases could not be restored: holder path value why
  local file first who path value why left=''
  set +f
  for file in settings/left.*; do
    { read -r first _ who <"$file"; } 2>/dev/null && [ "$first" = "$boot" ] || continue
    while read -r path value why; do
      [ "$path" = "$boot" ] || left="$left $who $path $value $why"
    done <"$file"
  done
  set -f
  put "$id ok$left"
}

do_date() { ok "$(date +%s 2>/dev/null)"; } # by the clock that people see, seconds since 1970; empty: it has none

do_probe() { # name of a Python interpreter... ; none: none is asked for
  local facts
  facts=$(probe "$@" 2>/dev/null) numbers=
  # See count_forks. It stands near the beginning: what a shell takes for this grows with the square of what is before.
  case $facts in *"/proc/sys/kernel/pid_max:"*) numbers=${facts#*"/proc/sys/kernel/pid_max:"} numbers=${numbers%%"$NL"*} ;; esac
  is_number "$numbers" || numbers=
  send "$facts"
}

probe() { # sections for farm/device/probe.py
  local name limit='' loaders='' line
  ! command -v timeout >/dev/null || limit='timeout 30'
  part uname && find_names && put "$names"
  part machine
  if [ -n "${FARM_MACHINE-}" ]; then put "$FARM_MACHINE"; else { read -r line </etc/machine-id && put "$line"; } fi
  part boot && { [ "$boot" = - ] || put "$boot"; }
  part files && probe_files
  part tree # texts that end with a zero byte, which shells leave out
  line='' && { read -r line <"$sys/firmware/devicetree/base/model"; }
  [ -z "$line" ] || put "$line"
  [ ! -r "$sys/firmware/devicetree/base/compatible" ] || tr '\0' ' ' <"$sys/firmware/devicetree/base/compatible"
  part nvidia && ask_gpus
  part pythons && ask_pythons "$@"
  part getprop
  ! command -v getprop >/dev/null ||
    getprop | grep -E '^\[ro\.(product\.manufacturer|product\.model|soc\.manufacturer|soc\.model|board\.platform|build\.version\.release)\]'
  part loaders && find_loaders
  part libc && ask_libc
  part narrow
  case $machine in aarch64 | x86_64) runs_narrow && put yes || put no ;; esac
  part shell && shell_name
  part tools && line=
  for name in flock setsid taskset timeout sha256sum dd awk numactl perf nvidia-smi getprop sudo \
    /bin/sh /bin/bash /usr/bin/env; do
    command -v "$name" && line=$line$name$NL
  done >/dev/null # once, and not for each
  put "$line"
  part df && exec df -Pk "$workdir" # the last: its process is this one
}
part() { put "" && put "== $1"; }

probe_files() { # lines `<path>:<text>`, of files below /sys without it; one process reads them all
  # Lines that nobody reads are left out, since toybox writes each by itself: of the memory, the process, the system's
  # name, and of each processor.
  local names path root depth none
  none="([^M]|M[^e]|Mem[^TA]).* kB|HugePages_.*|([ABD-Zunvx][^:]*|C[ao][^:]*|Cpus_allowed):$TAB.*|[A-OQ-Z][A-Z_]*=.*"
  none="$none|([^CFHMcfmpu]|c[^p]|cpu[^ ]|cpu [^m]|CPU [avr]|fpu|micro|model$TAB|physical)[^:]*$TAB:.*|power management:.*"
  cd "$sys" || return
  set --
  while IFS=: read -r _ names path; do # the limits of a control group, and of all that it is in
    path=${path%/} root=fs/cgroup/$names depth=0
    case ,$names, in
      ,,) [ -f fs/cgroup/cgroup.controllers ] || continue && root=fs/cgroup ;;
      *,cpu,* | *,cpuset,* | *,memory,*) ;;
      *) continue ;;
    esac
    while [ $depth -lt 16 ]; do
      set -- "$@" "$root$path/cpu.max" "$root$path/memory.max" "$root$path/cpuset.cpus.effective"
      [ "$root" = fs/cgroup ] || set -- "$@" "$root$path/cpu.cfs_quota_us" "$root$path/cpu.cfs_period_us" \
        "$root$path/memory.limit_in_bytes" "$root$path/cpuset.effective_cpus"
      [ -n "$path" ] || break
      path=${path%/*} depth=$((depth + 1))
    done
  done </proc/self/cgroup
  set +f
  grep -HsvE "^($none)?\$" \
    /proc/sys/kernel/pid_max /etc/os-release /proc/cpuinfo /proc/meminfo /proc/self/status /proc/loadavg \
    devices/system/cpu/online devices/system/cpu/smt/active devices/system/cpu/cpu0/cpufreq/scaling_driver \
    devices/system/cpu/cpu0/cpufreq/scaling_available_governors devices/system/cpu/intel_pstate/no_turbo \
    devices/system/cpu/cpufreq/boost devices/cpu_core/cpus devices/cpu_atom/cpus \
    devices/soc0/machine devices/soc0/family devices/soc0/soc_id \
    devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_m[ai][xn]_freq devices/system/cpu/cpu[0-9]*/cpu_capacity \
    devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor devices/system/cpu/cpu[0-9]*/cpufreq/scaling_max_freq \
    devices/system/cpu/cpu[0-9]*/regs/identification/midr_el1 \
    devices/system/clocksource/clocksource0/current_clocksource hypervisor/type class/dmi/id/sys_vendor \
    class/dmi/id/product_name class/thermal/thermal_zone[0-9]*/temp class/thermal/thermal_zone[0-9]*/type \
    class/power_supply/*/type class/power_supply/*/online class/power_supply/*/status \
    class/power_supply/*/capacity "$@"
  set -f
  cd "$workdir" || exit
}

ask_gpus() { # names of columns, then a line for each; drivers refuse a question with a name that they do not know
  local basic=name,driver_version,memory.total fields
  command -v nvidia-smi >/dev/null || return 0
  fields=$basic,compute_cap,memory.used,pstate,persistence_mode,clocks.sm,clocks.max.sm,clocks.mem
  fields=$fields,temperature.gpu,power.draw,power.limit
  for fields in "$fields,clocks_throttle_reasons.active" "$fields,clocks_event_reasons.active" "$basic,compute_cap" "$basic"; do
    # shellcheck disable=SC2086
    $limit nvidia-smi "--query-gpu=$fields" --format=csv && return
  done
}

find_loaders() { # -> loaders, and a line for each: what loads dynamic programs
  local file folder
  set +f
  for file in /lib/ld-*.so* /lib[36]*/ld-*.so* /usr/lib/ld-*.so* /system/bin/linker*; do
    [ ! -f "$file" ] || { put "$file" && loaders="$loaders $file"; }
  done
  for folder in /lib/*-linux-*; do # of thousands of files: it is asked for those names that are known, not listed
    for file in $loaders; do
      [ ! -f "$folder/${file##*/}" ] || put "$folder/${file##*/}"
    done
  done
  set -f
}
ask_libc() { # glibc's loader, since 2.33, at half the cost of `getconf`
  local file
  case $loaders in */ld-musl-* | */ld-[0-9]* | */linker*) return ;; esac # its name says it
  for file in $loaders; do
    case $machine:$file in
      x86_64:/lib64/ld-linux-x86-64.so.2 | aarch64:/lib/ld-linux-aarch64.so.1) "$file" --version && return ;;
    esac
  done
  getconf GNU_LIBC_VERSION || { command -v ldd >/dev/null && ldd --version 2>&1 | head -n 2; } || ask_loaders
}
ask_loaders() { # of busybox systems: the first that can be run says which library it is of
  local file line
  find_machine
  for file in $loaders; do
    case $machine:$file in
      x86_64:*/ld-linux-x86-64.so.2 | aarch64:*/ld-linux-aarch64.so.1) ;;
      *) look_at "$file" && runs "$kind" || continue ;;
    esac
    "$file" --version 2>&1 | { read -r line && put "$line" && read -r line && put "$line"; }
    return
  done
}

ask_pythons() { # name... ; until one answers that it is CPython and new enough
  local name file one asked='' line words
  for name do
    case $name in '~/'*) name=${HOME-}${name#'~'} ;; esac
    file=$(command -v "$name") || continue
    for one in $asked; do
      [ ! "$one" -ef "$file" ] || continue 2
    done
    asked="$asked $file"
    # shellcheck disable=SC2086
    line=$($limit "$file" -c "$ASK_PYTHON")
    put "${line#* }"
    [ "${line%% *}" != good ] || return 0
  done
}

ASK_PYTHON='
import sys
try:
    from importlib.util import find_spec
    has = "numpy" if find_spec("numpy") else "-"
except Exception:
    has = "-"
good = sys.implementation.name == "cpython" and sys.version_info >= (3, 6)
# Its own path: what stands in PATH may be a wrapper that starts slowly.
print("good" if good else "bad", sys.executable, sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], has)
'
