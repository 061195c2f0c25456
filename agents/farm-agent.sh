#!/bin/sh
# farm-agent: what the farm keeps on a device. Speaks the line protocol of docs/agent-protocol.md (version 1).
#
#   sh farm-agent.sh serve WORKDIR [SELF]              answers requests on stdin until it ends; SELF: this file, for a
#                                                      shell that reads it with `.`
#   sh farm-agent.sh receive WORKDIR DIGEST OFFSET SIZE [gzip]    appends stdin to a partial upload
#   sh farm-agent.sh unpack WORKDIR COUNT [gzip]       keeps the small files of a tar archive on stdin
#   sh farm-agent.sh assemble WORKDIR DIGEST SIZE SENT OPS...     makes a file of parts of others and of stdin
#   sh farm-agent.sh hand WORKDIR HOST_KEY COMMAND DIGEST...      gives files of the store to a command
#   sh farm-agent.sh supervise WORKDIR JOB FORKS NUMBERS    runs one job to its end (started by `start`)
#   sh farm-agent.sh guard WORKDIR EPOCH               restores settings when their lease has ended (started by `set`)
#
# POSIX sh plus `local`, for dash, bash, busybox ash and mksh; the tools are those that both busybox and toybox
# have (no awk, no dd). What runs while something is measured (request loop, poll, beat, watchdog, telemetry) uses
# builtins only. mksh computes with 32 bits: sizes in bytes stay strings.
#
# The process of a job:  supervise (session of its own, outlives the channel)
#                          +- the command (session of its own, so that all its descendants can be found)
#                          +- watch (subshell: limits, lease and telemetry, once a second)
#
# shellcheck shell=sh disable=SC3003,SC3034,SC3043,SC3013,SC3041,SC3045,SC3065,SC2034,SC2013,SC2015,SC2045,SC2088,SC2100
# SC30xx: every shell above has `local`, `-ef`, `-k` and `ulimit -c`; `$(<file)` stands only where it is known. SC2034:
# functions answer in variables, since `$(...)` would fork. SC2015: `a && b || leave` is meant. SC2045: names that
# `is_name` checks. SC2088, SC2100: a `~` that came as text, a word with a dash.

{ set +x; } 2>/dev/null # where every shell tells what it does, replies would have it in their reasons
LC_ALL=C # bytes, not characters: ${#text} and ${text#?} count what travels
export LC_ALL
umask 022
unset CDPATH
set -f # nothing that comes from outside is a pattern; `set +f` stands where one is meant
[ -z "${KSH_VERSION-}" ] || set +U
self=$0
[ "${1-}:$#" != serve:3 ] || self=$3
case $self in /*) ;; *) self=$PWD/$self ;; esac
sys=${FARM_SYS:-/sys} # tests have devices with heat of their own there
cpu_times=${FARM_STAT:-/proc/stat} # and without the neighbours that a test may have
kernel=${FARM_KERNEL:-/proc/sys/kernel} # and with an `uname` of a test
machine='' TAB='	' NL='
'

# ---- words of the protocol ------------------------------------------------------------------------------

if [ -n "${KSH_VERSION-}" ]; then # printf is no builtin in mksh
  put() { print -r -- "$1"; }
else
  put() { printf '%s\n' "$1"; }
fi
if [ -n "${KSH_VERSION-}" ]; then # one call of the kernel; `read` has one for each byte
  fetch() { line=$(<"$1"); }
else
  fetch() { read -r line <"$1"; }
fi

CR=''
find_cr() { # -> CR: a carriage return, for which dash has to fork
  [ -n "$CR" ] || CR=$'\r'
  [ ${#CR} -eq 1 ] || CR=$(printf '\r')
}

encode() { # text -> REPLY
  case $1 in
    '') REPLY=%00 && return ;;
    *%* | *[!!-~]*) ;;
    *) REPLY=$1 && return ;;
  esac
  local rest="$1" head
  find_cr
  REPLY=
  while [ -n "$rest" ]; do
    head=${rest%%["% $TAB$NL$CR"]*}
    rest=${rest#"$head"}
    case $rest in
      %*) head=$head%25 ;;
      ' '*) head=$head%20 ;;
      "$TAB"*) head=$head%09 ;;
      "$NL"*) head=$head%0A ;;
      "$CR"*) head=$head%0D ;;
    esac
    REPLY=$REPLY$head
    rest=${rest#?}
  done
}

decode() { # field -> REPLY; fails on an unknown escape
  case $1 in
    %00) REPLY= && return ;;
    *%*) ;;
    *) REPLY=$1 && return ;;
  esac
  local rest="$1"
  REPLY=
  while :; do
    case $rest in
      *%*) REPLY=$REPLY${rest%%"%"*} rest=${rest#*"%"} ;;
      *) REPLY=$REPLY$rest && return ;;
    esac
    case $rest in
      25*) REPLY=$REPLY% ;;
      20*) REPLY="$REPLY " ;;
      09*) REPLY=$REPLY$TAB ;;
      0A*) REPLY=$REPLY$NL ;;
      0D*) find_cr && REPLY=$REPLY$CR ;;
      *) return 1 ;;
    esac
    rest=${rest#??}
  done
}

answer() { # word field... -> one reply line
  local line="$id" some='' count=0 field
  for field do
    encode "$field"
    some="$some $REPLY" count=$((count + 1))
    [ $((count % 64)) -ne 0 ] || line=$line$some some= # a shell copies the whole of a text that grows, for each word
  done
  put "$line$some"
}
ok() { answer ok "$@"; }
err() { answer err "$@" && return 1; } # fails, so that `err ... || return` leaves the verb
send() { answer data $((${#1} + 1)) && put "$1"; } # a text, with its last newline

blame() { # what a failed command said -> the reply
  case $1 in
    *'No space left'* | *uota*exceeded* | *'printf: I/O error') err disk-full "$1" ;; # so says dash's printf
    *'Read-only file system'* | *'ermission denied'* | *'not permitted'*) err unwritable "$1" ;;
    *) err io "$1" ;;
  esac
}

# Checks of what the controller sends: nothing outside the workdir is ever written.
is_number() { case $1 in '' | *[!0-9]* | 0?*) return 1 ;; *) [ ${#1} -le 9 ] ;; esac }
is_size() { case $1 in '' | *[!0-9]* | 0?*) return 1 ;; *) [ ${#1} -le 15 ] ;; esac }
is_digest() { case $1 in *[!0-9a-f]*) return 1 ;; *) [ ${#1} -eq 64 ] ;; esac }
is_name() { case $1 in '' | [.-]* | *[!A-Za-z0-9._-]*) return 1 ;; *) [ ${#1} -le 200 ] ;; esac }
is_path() { # relative, and stays below its folder
  case $1 in '' | /*) return 1 ;; esac
  case /$1/ in *//* | */./* | */../*) return 1 ;; esac
}

# ---- the device -----------------------------------------------------------------------------------------

TOOLS='cat chmod cp du env grep head ln ls mkdir mv readlink rm setsid sha256sum sleep tail touch wc'

open_workdir() { # as the controller wrote it -> workdir, absolute, and the current folder
  local why tool folder
  case $1 in
    '~' | '~/'*)
      [ -n "${HOME-}" ] || err no-home "HOME is not set on the device: give an absolute workdir" || return
      workdir=$HOME${1#'~'}
      ;;
    /*) workdir=$1 ;;
    *) err usage "workdir must be absolute or begin with ~/: $1" || return ;;
  esac
  # shellcheck disable=SC2086 # names
  type $TOOLS >/dev/null 2>&1 || for tool in $TOOLS; do
    command -v "$tool" >/dev/null || err no-tool "$tool" || return
  done
  for folder in cas incoming trees spool lease; do
    [ -d "$workdir/$folder" ] || why=$(mkdir -p "$workdir/$folder" 2>&1) || blame "$why" || return
  done
  cd -P "$workdir" 2>/dev/null || { why=$(cd "$workdir" 2>&1) && cd -P "$workdir"; } || blame "$why" || return
  workdir=$PWD
  [ -w . ] || err unwritable "$workdir: no right to write" || return
  find_boot
}
find_boot() { { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || boot=-; }

clock() { # -> now: seconds since the device started, and uptime: to 1/100 s; a wall clock may jump, this one does not
  { read -r uptime _ </proc/uptime; } 2>/dev/null
  if [ -z "$uptime" ]; then # Android keeps it from apps: a new process was born just now, in 1/100 s
    now=$(look self && put "$born")
    uptime=${now%??}.${now#"${now%??}"}
  fi
  now=${uptime%%.*}
}
elapsed() { # earlier uptime -> REPLY: hundredths of a second since
  clock
  REPLY=$(((now - ${1%%.*}) * 100 + 1${uptime#*.} - 1${1#*.}))
}

look() { # pid -> state parent group session born core, and user_time system_time of it, waited_user waited_system of
  # its children that ended, in jiffies; fails when there is no such process. See proc(5), stat
  local line
  { fetch "/proc/$1/stat"; } 2>/dev/null && take_apart "$line"
}
take_apart() { # line of a process -> as look
  local rest="${1#*') '}" # the name, which may hold anything, is cut off; shells need ten times as long for one `##`
  while :; do
    case $rest in *') '*) rest=${rest#*') '} ;; *) break ;; esac
  done
  # shellcheck disable=SC2086 # splitting is meant
  set -- $rest
  state=$1 parent=$2 group=$3 session=$4 born=${20} core=${37}
  user_time=${12} system_time=${13} waited_user=${14} waited_system=${15}
}

offset_of() { # pid descriptor -> REPLY: where it stands in its file; no fork. See proc(5), fdinfo
  REPLY=0
  { read -r _ REPLY <"/proc/$1/fdinfo/$2"; } 2>/dev/null
  REPLY=${REPLY:-0}
}

is_ours() { look "$1" && [ "$parent" = $$ ]; } # pid ; a child's number cannot be another's before it was waited for
doze() { sleep 0.1 2>/dev/null || sleep 1; }

size_of() { # file -> REPLY
  # shellcheck disable=SC2046 # some `wc` pad with spaces
  set -- $(wc -c <"$1" 2>/dev/null)
  REPLY=${1:-0}
}

wipe() { # paths ; as `rm -rf`, and no process where nothing is there, as mostly
  local path
  for path do
    [ ! -e "$path" ] && [ ! -h "$path" ] || { rm -rf "$@"; return; }
  done
}

is_plain() { # folder path ; a regular file, and no symbolic link on the way: it may lead out of the workdir
  local path="$1" rest="$2/"
  while [ -n "$rest" ]; do
    path=$path/${rest%%/*}
    rest=${rest#*/}
    [ ! -h "$path" ] || return 1
  done
  [ -f "$path" ]
}

# ---- the lease ------------------------------------------------------------------------------------------
# lease/<epoch> is a symbolic link whose text is `free`, `held:<since>:<ttl>:<boot>:<holder>`, or `broken:<by>`, which
# is free, too; the highest epoch counts. A state changes only by making the next link, which the kernel lets exactly one process do, with its
# content, in one step: no lock is needed, and a process that dies anywhere leaves nothing half-done.
# lease/beat.<epoch> holds the time of the last beat, written in place in one width: it is empty only until the
# first one is written, and as long as it is, the time in the link counts.

current() { highest lease && epoch=$REPLY; }
highest() { # folder -> REPLY: the highest number of its links (ten digits, so that names sort as numbers)
  local mark="$1/1000000000"
  set +f
  for mark in "$1"/1*; do :; done
  set -f
  REPLY=1000000000
  [ ! -h "$mark" ] || REPLY=${mark##*/}
}

lease_state() { # -> epoch; holder (empty: free), ttl, age, held (since it was taken) and expired, in seconds; cut
  local rest since beat
  current
  if [ "${known-}" != "$epoch" ]; then # the text of an epoch never changes
    lease_text=
    [ "$epoch" = 1000000000 ] || lease_text=$(readlink "lease/$epoch")
    known=$epoch
  fi
  holder='' ttl=0 age=0 held=0 expired=yes cut=''
  case $lease_text in held:*) ;; *) return ;; esac
  rest=${lease_text#held:}
  since=${rest%%:*} rest=${rest#*:}
  held=$since
  ttl=${rest%%:*} rest=${rest#*:}
  decode "${rest#*:}" && holder=$REPLY
  { read -r beat <"lease/beat.$epoch" && since=$((beat - 1000000000)); } 2>/dev/null
  clock
  age=$((now - since)) held=$((now - held))
  # A clock that went back, or another boot: the device was restarted while this lease was held.
  [ "${rest%%:*}" = "$boot" ] && [ "$age" -ge 0 ] || cut=restarted
  [ -n "$cut" ] || [ "$age" -gt "$ttl" ] || expired=
}

valid() { # epoch -> fails, with the reason in REPLY, unless it is the lease that counts
  lease_state
  REPLY="the lease is no longer $1 but $epoch"
  [ "$epoch" = "$1" ] || return 1
  REPLY="the lease $1 ended ${age} s after its last beat"
  [ -z "$expired" ]
}

tell_stale() { # epoch that does not count, why in REPLY -> the reply; fails
  case $lease_text in
    broken:*) [ "$epoch" != $(($1 + 1)) ] || { decode "${lease_text#broken:}" && err broken "$REPLY"; } || return ;;
  esac
  err stale "$REPLY"
}

claim() { # text of the next state; fails when another was faster, or with what `ln` said in REPLY
  local next=$((epoch + 1)) old
  if ! REPLY=$(ln -s "$1" "lease/$next" 2>&1); then
    [ -h "lease/$next" ] && REPLY=
    return 1
  fi
  current
  if [ "$epoch" != "$next" ]; then # this process slept while others went on, and the link was cleaned up
    rm -f "lease/$next"
    REPLY=
    return 1
  fi
  known=$next lease_text=$1
  old=$((next - 8))
  [ -h "lease/$old" ] && rm -f "lease/$old" "lease/beat.$old"
  return 0
}

beat() { clock && put $((now + 1000000000)) 1<>"lease/beat.$epoch" && beat_of_machine; }

do_holder() { # who holds the device, if someone does
  lease_state
  if [ -n "$expired" ] || [ -z "$holder" ]; then ok; else ok "$holder" "$age" "$ttl" "$epoch" "$held"; fi
}

# ---- which programs the kernel runs ---------------------------------------------------------------------
# What the kernel does not know, `execvp` (so `env`, `setsid`) hands to a shell, which runs its bytes as commands:
# a file of an odd name is the least of it. So a program is looked at before each start.

find_machine() { # -> machine, as `uname` says; it may be any text
  [ -n "${machine-}" ] || find_names
  machine=${machine:-unknown}
}
find_names() { # -> names, machine: as `uname -snrm`; no process where the kernel tells all of it (since Linux 6.1)
  local one
  names=
  {
    read -r one </proc/self/personality
    case $one in
      00000000) # to others it may name another machine
        for one in ostype hostname osrelease arch; do
          read -r one <"$kernel/$one" && [ -n "$one" ] || { names='' && break; }
          names="$names $one"
        done
        ;;
    esac
  } 2>/dev/null
  names=${names# }
  names=${names:-$(uname -snrm)}
  machine=${names##* }
}
find_bytes() { # -> DEL, ONE, ...: bytes of ELF headers
  [ -z "${DEL-}" ] || return 0
  DEL=$'\177' ONE=$'\001' TWO=$'\002' THREE=$'\003' ARM64=$'\267'
  [ ${#DEL} -ne 1 ] || return 0
  # shellcheck disable=SC2046
  set -- $(printf '\177 \001 \002 \003 \267')
  DEL=${1-} ONE=${2-} TWO=${3-} THREE=${4-} ARM64=${5-}
}

look_at() { # file -> kind: what it is for, `script`, `cut` or `other`; empty where it cannot be read
  local head=''
  kind=''
  [ -f "$1" ] || return 0
  find_bytes
  { { head=$(head -c 20 <&3) && offset_of $$ 3; } 3<"$1"; } 2>/dev/null || return 0
  case $head in
    "${DEL}ELF"*) [ "$REPLY" -ge 20 ] || { kind='cut' && return; } ;;
    '#!'*) kind=script && return ;;
    *) kind=other && return ;;
  esac
  head=${head#????}
  case ${head%"${head#?}"}${head#"${head%?}"} in # its class, and its machine: shells leave out the zeros at the end
    "$TWO>") kind='64-bit x86' ;;
    "$ONE$THREE") kind='32-bit x86' ;;
    "$TWO$ARM64") kind='64-bit ARM' ;;
    "$ONE(") kind='32-bit ARM' ;;
    *) kind='another architecture' ;;
  esac
}

runs() { # kind ; whether the kernel runs it; true where nobody here knows
  case $machine:$1 in
    x86_64:'64-bit x86' | aarch64:'64-bit ARM' | armv8*:'64-bit ARM' | arm*:'32-bit ARM') return ;;
    aarch64:'32-bit ARM' | x86_64:'32-bit x86') ! runs_narrow || return 0 ;;
  esac
  [ -n "${own_kind-}" ] || { look_at "/proc/$$/exe" && own_kind=${kind:--} kind=$1; }
  case $machine:$1 in
    *:"$own_kind") ;;
    x86_64:* | aarch64:* | arm*:* | i[3-6]86:*) return 1 ;;
  esac
}

runs_narrow() { # whether a kernel of 64 bits runs programs of 32 bits: it is asked once after each of its starts
  local of=''
  [ -n "${narrow-}" ] || { { read -r of narrow <"$workdir/narrow"; } 2>/dev/null; }
  [ -z "$of" ] || [ "$of" = "$boot" ] || narrow=
  case $narrow in
    yes | no) ;;
    *)
      try_narrow
      [ "$boot" = - ] || { put "$boot $narrow" >"$workdir/narrow"; } 2>/dev/null
      ;;
  esac
  [ "$narrow" = yes ]
}
try_narrow() { # -> narrow: by a program that does nothing but end with 42
  local file="$workdir/incoming/narrow.$$"
  narrow=no
  { narrow_program >"$file" && chmod 700 "$file" && (exec env "$file") </dev/null >/dev/null; } 2>/dev/null
  [ $? -ne 42 ] || narrow=yes
  rm -f "$file"
}
narrow_program() { # a header, one segment, `exit(42)`
  local number='\050' entry='\124\0\1\0' start='\0\0\1\0' flags='\0\0\0\5' # ARM
  local code='\1\160\240\343\52\0\240\343\0\0\0\357'
  if [ "$machine" = x86_64 ]; then
    number='\003' flags='\0\0\0\0' code='\61\300\100\263\52\315\200\220\220\220\220\220'
  fi
  # shellcheck disable=SC2059
  printf "\\177ELF\\1\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0$number\\0\\1\\0\\0\\0$entry\\64\\0\\0\\0\\0\\0\\0\\0$flags\\64\\0\\40\\0\\1\\0\\0\\0\\0\\0\\0\\0"
  # shellcheck disable=SC2059
  printf "\\1\\0\\0\\0\\0\\0\\0\\0$start${start}\\144\\0\\0\\0\\144\\0\\0\\0\\5\\0\\0\\0\\0\\20\\0\\0$code\\0\\0\\0\\0"
}

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

# ---- requests -------------------------------------------------------------------------------------------

do_bye() {
  [ -z "$used" ] || touch_used
  ok && exit 0
}

greet() { # workdir
  id='farm-agent 1' # so stands an error in the place of the greeting
  put "" # what a login shell said before may lack its newline
  open_workdir "$1" && answer $$ "$workdir"
}

serve() { # answers stdin to its end; fails at a request that needs what stands further down, which is `pending` then
  local line argument verb
  while :; do
    line=$pending pending=
    [ -n "$line" ] || IFS= read -r line || return 0 # a last line without its newline is a cut request: it is dropped
    # shellcheck disable=SC2086 # splitting is meant
    set -- $line
    id=0
    if [ $# -lt 2 ] || ! is_number "$1"; then err usage "not a request: id verb argument..."; continue; fi
    case $whole:$2 in
      yes:* | :hello | :date | :probe | :holder | :settings | :bye) ;;
      *) pending=$line && return 1 ;;
    esac
    id=$1 verb=$2
    shift 2
    case $line in
      *%*)
        for argument do
          shift
          if decode "$argument"; then set -- "$@" "$REPLY"; else verb=%; fi
        done
        ;;
    esac
    case $verb:$# in
      hello:* | probe:* | have:* | verify:* | adopt:3 | link:[2-9]* | link:1?* | tree:[1-9]* | stock:0 | \
        remove:[2-9] | remove:[1-9]?* | set:[4-9] | set:[1-9]?* | unset:1 | settings:0 | may:[2-9] | date:0 | holder:0 | break:2 | lease:[23] | \
        resume:[12] | beat:1 | release:1 | start:[89] | start:[1-9]?* | sense:0 | processes:0 | others:0 | poll:1 | wait:1 | \
        gather:2 | read:4 | pick:[3-9] | pick:[1-9]?* | kill:1 | drop:[1-9]* | jobs:0 | bye:0)
        "do_$verb" "$@" </dev/null
        ;;
      %:*) err usage "an escape that is none" ;;
      *) err usage "$verb with $# arguments" ;;
    esac
  done
}

# Who asks what the device is, and who holds it, needs no more than this: a shell takes in a file as it goes. Where
# settings may have to be restored, all is read first.
whole='' pending='' used=''
case ${1-}:$# in
  serve:[23])
    greet "$2" || exit
    [ -d settings ] || ! serve || exit 0
    ;;
esac

# ---- the machine ----------------------------------------------------------------------------------------
# The lease is of a workdir. Where all users of the machine share a sticky folder, farm-machine in it keeps workdirs
# apart: links with numbers as above, `free` or `held:<since>:<ttl>:<boot>:<room>:<holder> <workdir>`. A room is a
# folder beside them that only its owner writes, with the time of the last beat; lease/machine of the workdir that
# has the machine leads there, and nowhere once it is given back. Nobody can remove what another user left: it is free
# once it is too old. And all of it may be another user's trap: numbers are checked before they are counted with, only
# plain files are read, and no link is left to a room that is not ours any more while there are beats.

GRACE_S=10 # until what ran under a lease that ended has surely ended, too

is_mark() { case $1 in *[!0-9]*) return 1 ;; 1?????????) ;; *) return 1 ;; esac }

clear_room() { # path, other files... ; not with `rm -r`: root would follow where another user leads it meanwhile
  local room="$1"
  shift
  if [ -d "$room" ] && [ ! -h "$room" ]; then set -- "$room/beat" "$@"; fi
  rm -f "$@"
  [ "${1-}" != "$room/beat" ] || rmdir "$room"
} 2>/dev/null

beat_of_machine() {
  [ ! -h lease/machine ] || { put $((now + 1000000000)) 1<>lease/machine/beat; } 2>/dev/null || :
}

find_room() { # -> room: of this workdir, to be found while its lease is still ours: then it may be another's
  room=${own_room-}
  [ -n "$room" ] && [ "$room" -ef lease/machine ] || { [ -d lease/machine ] && room=$(readlink lease/machine); } || room=''
} 2>/dev/null

leave_machine() { # room ; other workdirs may have it; earlier marks go, as far as we may remove them
  local room="$1" folder last old
  [ -n "$room" ] && [ -d "$room" ] || return 0 # the next holder of this workdir has taken it over
  folder=${room%/*} own_room=''
  highest "$folder"
  last=$REPLY
  if is_mark "$last"; then
    case $(readlink "$folder/$last") in
      held:*:"${room##*/}":*) ln -s free "$folder/$((last + 1))" && last=$((last + 1)) ;;
    esac
    set +f
    set -- "$folder"/1*
    set -f
  else
    set --
  fi
  for old do
    shift
    # Not a later one: the machine may be another's by now.
    ! is_mark "${old##*/}" || [ "${old##*/}" -ge "$last" ] || set -- "$@" "$old"
  done
  clear_room "$room" "$@"
} 2>/dev/null

# ---- where a job is, and its end ------------------------------------------------------------------------

job_state() { # job -> is (running or exited) code why out_size err_size telemetry_size; fails: no such job
  job=$1 is=exited supervisor='' child='' job_boot='' forks='' own=''
  is_name "$1" && [ -d "spool/$job" ] || return 1
  if [ ! -s "spool/$job/pid" ]; then sleep 1; fi # it is just being started by another session, or never was
  { read -r supervisor supervisor_born child child_born job_boot forks <"spool/$job/pid"; } 2>/dev/null
  read_end && return
  is=running code=- why=-
  if is_supervised; then
    written 6 && out_size=$REPLY
    written 7 && err_size=$REPLY
    written 8 && telemetry_size=$REPLY
    return 0
  fi
  # It may have ended since; otherwise restarted device, or no memory, or someone's kill -9: nobody else will tell.
  # A supervisor that is still to start would tell: it is forestalled, or about to write its pid.
  out_size=0 err_size=0 telemetry_size=0
  if [ -n "$supervisor" ]; then set -- lost; else set -- unstarted; fi
  [ -s "spool/$job/exit" ] || { { [ -n "$supervisor" ] || take; } && finish && orphan && conclude 137 "$1"; } || return 0
  is=exited
  read_end || { code=137 why=lost out_size=0 err_size=0 telemetry_size=0; } # so after a power cut
}
read_end() { # fails when there is none yet, or something else in its place
  [ ! -h "spool/$job/exit" ] && read -r code why out_size err_size telemetry_size _ <"spool/$job/exit" &&
    is_number "$code" && is_size "$telemetry_size"
} 2>/dev/null

is_starting() { # job -> as job_state: another session is about to start it, may be one whose connection is gone
  local starter starter_born starter_boot
  is_name "$1" && [ ! -s "spool/$1/pid" ] && [ ! -s "spool/$1/exit" ] || return 1
  { read -r starter starter_born starter_boot <"spool/$1/starter"; } 2>/dev/null || return 1
  [ "$starter" != $$ ] && [ "$starter_boot" = "$boot" ] && look "$starter" && [ "$born" = "$starter_born" ] || return 1
  case $state in [ZTt]) return 1 ;; esac # a stopped one never will
  job=$1 is=running code=- why=- out_size=0 err_size=0 telemetry_size=0
}

take() { be_first "spool/$job/taken"; } # its supervisor: that the job runs; another: that it never will
be_first() { # file ; fails unless this process is the one that makes it
  set -C
  { :; } 2>/dev/null >"$1"
  set -- $?
  set +C
  return "$1"
}

is_supervised() {
  [ "${job_boot-}" = "$boot" ] && look "$supervisor" && [ "$born" = "$supervisor_born" ] && [ "$state" != Z ]
}

written() { offset_of "$supervisor" "$1"; } # descriptor of the supervisor -> REPLY: bytes that went through it

members() { # of the round job, child, supervisor -> REPLY: pids of its living processes; grouped: one is in its group
  # All that did not leave the session, and all that carry the round's mark in their environment: a process can
  # hide only by doing both, a new session and an emptied environment.
  local marked looks=0 hidden=yes
  look_for_members
  # It can tell nothing of what is between two programs: that is looked for, and whatever it was, looked at again.
  while [ -z "$REPLY" ] && [ -n "$marked" ] && [ -n "$hidden" ] && [ $looks -lt 20 ]; do
    find_hidden
    [ -z "$hidden" ] || doze
    look_for_members
    looks=$((looks + 1))
  done
}
look_for_members() { # -> as members; marked: what may be one, if its environment says so
  local pid inhabited='' elders=' ' oldest eldest="$child_born"
  REPLY='' grouped='' marked=''
  [ "${job_boot-}" = "$boot" ] || return 0
  [ "$eldest" != - ] || eldest=$supervisor_born
  find_oldest
  find_own
  { [ "$oldest" -gt 0 ] && consider_since "$oldest"; } || consider_all
  [ -n "$inhabited" ] || own=none # nobody can come into a session from outside
  # shellcheck disable=SC2086
  [ -z "$marked" ] || for pid in $(cd /proc && exec grep -lszxF "FARM_JOB=$job:$supervisor" $marked); do
    REPLY="$REPLY ${pid%/environ}"
  done
}
find_hidden() { # -> hidden: those of `marked` that have neither an environment nor a command line: the kernel is at it
  # shellcheck disable=SC2046,SC2086
  set -- $(cd /proc && exec grep -Ls '' $marked)
  hidden=$(cd /proc && for pid do grep -Ls '' "${pid%environ}cmdline"; done)
}
# number of a process ; considers it and all later ones, until none comes any more; fails if they are many
consider_since() {
  local number="$1" latest
  while find_latest; do
    [ "$latest" -ge "$1" ] && [ $((latest - $1)) -lt 300 ] || return
    [ "$number" -le "$latest" ] || return 0
    while [ "$number" -le "$latest" ]; do
      [ ! -e "/proc/$number" ] || consider_file "$number/stat"
      number=$((number + 1))
    done
  done
}
find_latest() { # -> latest: the number that was given last
  { read -r _ _ _ _ latest </proc/loadavg; } 2>/dev/null && is_number "$latest"
}
consider_all() {
  local pid some='' count=0
  REPLY='' grouped='' marked=''
  [ "$oldest" = 0 ] || find_oldest # the numbers may have begun anew meanwhile
  set +f
  set -- /proc/[0-9]*
  set -f
  for pid do
    [ "${pid#/proc/}" -ge "$oldest" ] || continue
    some="$some ${pid#/proc/}/stat" count=$((count + 1))
    [ $count -lt 2000 ] || { search "$some" && some='' count=0; } # a command line has its limit
  done
  search "$some"
}
search() { # files -> as consider, for each that may tell of a member
  local line blanks="$IFS"
  if [ $count -gt 8 ]; then # one look at all for those that are young enough
    at_least "$eldest"
    IFS=$NL
    # shellcheck disable=SC2046,SC2086
    set -- $(IFS=$blanks && cd /proc && exec grep -hsE "\) [A-Z]( -?[0-9]+){18} $ages " $1)
    IFS=$blanks
    for line do consider "$line"; done
  else
    for line in $1; do consider_file "$line"; done
  fi
  return 0
}
consider_file() { # file below /proc
  local line
  { fetch "/proc/$1"; } 2>/dev/null && consider "$line"
  return 0
}
consider() { # line of a process -> REPLY, further: members; marked, further: what tells whether others are
  take_apart "$1"
  [ "$state" != Z ] || has_threads "${1%% *}" || return 0
  if [ "$session" = "$own" ] || [ "${1%% *}" = "$own" ]; then # the child, even before it has made its session
    REPLY="$REPLY ${1%% *}" inhabited=yes
    [ "$group" != "$child" ] || grouped=yes
  elif [ "$session" -ge "$oldest" ] && [ "$session" != 0 ] && ! is_elder "$session"; then # 0: of the kernel
    marked="$marked ${1%% *}/environ" # a member may have made it: a session has the number of who made it
  fi
}
has_threads() { # pid ; a program whose first thread has ended looks like a zombie while others go on
  set +f
  set -- "/proc/$1/task"/[0-9]*
  set -f
  [ $# -gt 1 ]
}
is_elder() { # session ; whether who made it lives and is older than the round: then no member has made it
  local state parent group session born core
  case $elders in *" $1 "*) return 0 ;; esac
  look "$1" && is_before "$born" "$eldest" && elders="$elders$1 "
}
is_before() { # time of birth, another ; in seconds, since 32 bits are too few for more: those of one second are not
  [ ${#1} -lt ${#2} ] || { [ ${#1} -eq ${#2} ] && [ ${#1} -gt 2 ] && [ "${1%??}" -lt "${2%??}" ]; }
}
at_least() { # time of birth -> ages: an expression for it and all later ones; it may be too long to compute with
  local head='' rest="$1" digit
  ages="$1|[0-9]{$((${#1} + 1)),}"
  while [ -n "$rest" ]; do
    digit=${rest%"${rest#?}"} rest=${rest#?}
    [ "$digit" = 9 ] || ages="$ages|${head}[$((digit + 1))-9][0-9]{${#rest}}"
    head=$head$digit
  done
  ages="($ages)"
}

# The number of the child can be another's once it was waited for and its session is empty. So a session of that
# number is the round's only if the child lives, or no number was given twice since the start, or who asks has seen
# something of it when the child still lived (the supervisor: has just waited for it) and each time since.
find_own() { # -> own: the round's session, or none; oldest: none where the program's number is seen to be another's
  if look "$child"; then
    if [ "$born" = "$child_born" ]; then own=$child; else own=none oldest=0; fi
  elif [ "$oldest" -gt 0 ]; then
    own=$child
  else
    own=${own:-none}
  fi
}

# All processes of a round are younger than its child, so their numbers are higher, unless the numbers began anew
# meanwhile. They did not as long as the last one given is higher and far fewer processes were started than there are
# numbers. Where that cannot be counted, any process may be one.
find_oldest() { # -> oldest: the lowest number that a process of the round can have
  local latest started
  oldest=0
  is_number "${forks-}" && count_forks && find_latest || return 0
  [ "$latest" -lt "$child" ] || [ $((started - forks)) -ge $((numbers / 4)) ] || oldest=$child
}
count_forks() { # -> started: the processes that were since the device was started; numbers: how many there can be
  started=
  : "${numbers:=$(cat /proc/sys/kernel/pid_max)}" # once, unless a probe did: byte by byte, as shells read, it cannot be read
  is_number "$numbers" && read_started && is_number "$started"
} 2>/dev/null
# A shell reads a script in blocks, and all else byte by byte. The file has a word and numbers on each line, and is
# the kernel's; no program has such a name where none is found.
if [ -n "${BASH_VERSION-}" ]; then # reads in blocks
  read_started() {
    local word
    while read -r word started _ && [ "$word" != processes ]; do :; done </proc/stat
  }
else
  read_started() {
    local PATH=/dev/null
    # shellcheck source=/dev/null
    [ ! -r /proc/stat ] || . /proc/stat
    return 0
  }
  processes() { started=$1; }
fi

finish() { # kills what is left of the round: TERM, after a second KILL; fails when something does not die
  local began left looks=0
  members
  [ -n "$REPLY" ] || return 0
  signal_members TERM
  clock && began=$uptime # looks take their time on a slow board: they are no measure of it
  while doze && members && [ -n "$REPLY" ]; do
    left=$REPLY && elapsed "$began"
    [ "$REPLY" -ge 100 ] || continue
    REPLY=$left looks=$((looks + 1))
    [ $looks -le 10 ] || return
    signal_members KILL
  done
}
signal_members() { # signal, to those that `members` found
  # To each, since some may have left the group, and to the group, since it may be growing.
  [ -z "$grouped" ] || kill "-$1" "-$child"
  # shellcheck disable=SC2086
  kill "-$1" $REPLY
  return 0
} 2>/dev/null

conclude() { # code why
  # A new file of one call of the kernel is there as a whole or not. On a full disk the room serves that was taken at
  # the start, and where the program has put something in its place.
  local file="spool/$job/exit"
  stream_sizes
  set -- "$1 $2 $REPLY"
  [ ! -e "$file" ] && [ ! -h "$file" ] && put "$1" >"$file" && [ -s "$file" ] && return
  put "$1" 1<>"$file.new" && mv -f "$file.new" "$file"
} 2>/dev/null
stream_sizes() { # of job -> REPLY: of its three streams; 0 for what is no file any more
  local name files='' out=0 err=0 telemetry=0
  for name in stdout stderr telemetry; do
    is_plain "spool/$job" "$name" && [ -s "spool/$job/$name" ] && files="$files spool/$job/$name"
  done
  case $files in # only the supervisor writes this: if it is this process, it knows
    */telemetry) [ "$supervisor" != $$ ] || ! written 8 || [ "$REPLY" = 0 ] || telemetry=$REPLY files=${files% *} ;;
  esac
  # shellcheck disable=SC2046,SC2086
  [ -z "$files" ] || set -- $(wc -c $files)
  while [ $# -ge 2 ]; do
    case $2 in */stdout) out=$1 ;; */stderr) err=$1 ;; */telemetry) telemetry=$1 ;; esac
    shift 2
  done
  REPLY="$out $err $telemetry"
}

blame_end() { # why ; the first reason counts
  local why=-
  { read -r why <"spool/$job/why"; } 2>/dev/null
  [ "$why" != - ] || put "$1" 1<>"spool/$job/why"
} 2>/dev/null

end_job() { # job why ; until nothing of it runs. Fails when something does not die
  job_state "$1" && [ "$is" = running ] || return 0
  blame_end "$2"
  finish || { REPLY="of job $job, processes $REPLY" && return 1; }
  until_unsupervised # it writes the end
  orphan && until_unsupervised # only then: it may have written it just before
  [ -s "spool/$job/exit" ] || conclude 137 lost && return
  # Another was faster: it has written the end, or forgotten the job.
  [ -s "spool/$job/exit" ] || [ ! -d "spool/$job" ] || { REPLY="the end of job $job cannot be written" && return 1; }
}
until_unsupervised() { # or 5 s
  local tries=50
  while is_supervised && [ $tries -gt 0 ]; do
    doze
    tries=$((tries - 1))
  done
}

orphan() { # ends what is left of the supervisor, unless its number is another's by now
  [ "$job_boot" = "$boot" ] || return 0
  if look "$supervisor"; then
    [ "$born" = "$supervisor_born" ] || return 0
  else # its watch ends by itself at its next look, too
    find_oldest
    [ "$oldest" -gt 0 ] || return 0
  fi
  kill -KILL "-$supervisor" 2>/dev/null
  return 0
}

end_all() { # why -> fails with what does not die in REPLY
  local name
  jobs_of_spool
  for name in $REPLY; do
    end_job "$name" "$1" || return
  done
}
jobs_of_spool() { # -> REPLY: their names
  local place
  REPLY=''
  set +f
  for place in spool/*; do
    ! is_name "${place#spool/}" || REPLY="$REPLY ${place#spool/}"
  done
  set -f
}

# ---- one job, from its start to its end -----------------------------------------------------------------

supervise() { # workdir job forks numbers
  local line wall silence forks="$3" numbers="$4" latest pipe watch code its_epoch
  exec 2>/dev/null # bash tells how its children died
  workdir=$1 job=$2 supervisor=$$
  cd "$workdir" && take || return
  find_boot && job_boot=$boot
  read -r epoch wall silence lease_text <"spool/$job/limit"
  known=$epoch its_epoch=$epoch
  # Who asked for it may have slept meanwhile, and somebody else have the device now.
  valid "$epoch" || { conclude 137 lease-lost && return; }
  cd "spool/$job" || return
  ulimit -c 0 # a core dump would count as a result
  look $$ && supervisor_born=$born
  # Descriptor 5 is a pipe that has a writer as long as this process or the watch lives: who reads it, opened through
  # /proc, sees that they are gone. It is opened for reading too, for `nap`.
  { command exec 5<>"/proc/$$/fd/5" && pipe=yes || pipe=; } 2>/dev/null
  exec 6>>stdout 7>>stderr 8>>telemetry
  set -- "FARM_JOB=$job:$$"
  while read -r line; do
    decode "$line" && set -- "$@" "$REPLY"
    case $line in FARM_GPU=*) has_gpu=yes ;; esac
  done <./command
  # What it says is a file of the job like the program's own.
  if [ -n "${has_gpu-}" ]; then (exec </dev/null >out/farm-gpu.txt 5>&- 6>&- 7>&- && watch_gpu) & fi
  find_sensors
  put "$columns" >&8
  clock && sample whole && put "$line" >&8
  (cd out && exec setsid env -i "$@" </dev/null >&6 2>&7 5>&- 6>&- 7>&- 8>&-) 2>&7 &
  child=$!
  child_born=- # it may have ended already: then nothing is known of it
  look $child && child_born=$born
  # What a container shows may be its host's.
  find_latest && [ "$latest" -ge $child ] && [ $((latest - child)) -lt 1000 ] || forks=-
  put "$$ $supervisor_born $child $child_born $boot $forks" >pid # one call of the kernel: nobody sees a part of it
  put "$NL$child" # on a line of its own, whatever was said before it
  exec </dev/null >/dev/null
  cd "$workdir" || exit
  own=$child
  watch "$epoch" "$wall" "$silence" &
  watch=$!
  wait $child
  code=$?
  trap '' TERM
  is_ours $watch && kill -KILL $watch # mksh would sleep through a TERM in `read -t`
  ended=yes && clock && sample whole && put "$line" >&8
  kill -TERM 0 # the `sleep` that the watch may have waited in, and what looks at GPUs: this group has nothing else
  wait $watch
  until finish; do sleep 1; done # what the command left behind
  read -r why _ <"spool/$job/why"
  conclude "$code" "${why:--}"
  guard_settings "$its_epoch"
  exec 5>&-
  [ "$why" != lease-lost ] || { find_room && lease_state && [ -n "$holder" ] && [ -n "$expired" ] && claim free && leave_machine "$room"; }
}

guard_settings() { # epoch ; where settings of the device were changed and nobody is left who would restore them
  [ -d settings ] && [ -e "settings/$1" ] && ! is_guarded "$1" || return 0
  # The pipe, descriptor 5, says that the round is supervised.
  (exec setsid sh "$self" guard "$workdir" "$1" </dev/null >/dev/null 2>&1 4<&- 5>&- 6>&- 7>&- 8>&-) &
}
is_guarded() { # epoch -> guard: the process
  local guard_born
  { read -r guard guard_born <"settings/guard.$1"; } 2>/dev/null &&
    look "$guard" && [ "$born" = "$guard_born" ] && [ "$state" != Z ]
}

nap() { sleep "$1"; } # seconds
nap_in_a_builtin() { # where `read` knows -t (not in dash): one process less for each
  read -r -t 0 _ </dev/null
  [ $? -eq 2 ] || [ -z "$pipe" ] || nap() { read -r -t "$1" _ <&5; }
}

watch() { # epoch wall_s silence_s ; once a pause, until a limit is passed or the supervisor ends this process
  local mine="$1" wall="$2" silence="$3" pause=1 began grew size='' real_size='' why=''
  nap_in_a_builtin
  clock && began=$now grew=$now
  [ -z "$only_core" ] || pause=$PAUSE_OF_ONE_CORE_S
  until [ -n "$why" ]; do
    nap_until_a_limit
    valid "$mine" || why=lease-lost
    sample && put "$line" >&8
    [ "$wall" -eq 0 ] || [ $((now - began)) -lt "$wall" ] || why=wall-limit
    written 6 && line=$REPLY && written 7
    [ "$size" = "$line $REPLY" ] || { size="$line $REPLY" && grew=$now; }
    if [ "$silence" -gt 0 ] && [ $((now - grew)) -ge "$silence" ] && is_silent; then why=silence-limit; fi
    [ "/proc/$supervisor/fd/8" -ef /proc/self/fd/8 ] || why=lost # cheaper than `look`
  done
  guard_settings "$mine"
  blame_end "$why"
  finish
  is_supervised || [ -s "spool/$job/exit" ] || conclude 137 lost
}
PAUSE_OF_ONE_CORE_S=5 # what a look costs is the program's time there
nap_until_a_limit() {
  local left="$pause"
  [ "$wall" -eq 0 ] || [ $((began + wall - now)) -ge "$left" ] || left=$((began + wall - now))
  [ "$silence" -eq 0 ] || [ $((grew + silence - now)) -ge "$left" ] || left=$((grew + silence - now))
  [ "$left" -gt 0 ] || left=1
  nap "$left"
}

is_silent() { # after a closer look, which forks: a program may have opened its streams anew, past our descriptors
  local real
  size_of "spool/$job/stdout" && real=$REPLY
  size_of "spool/$job/stderr" && real="$real $REPLY"
  [ "$real" != "$size" ] && [ "$real" != "$real_size" ] || return 0
  real_size=$real grew=$now
  return 1
}

find_sensors() { # -> columns: the first line of the telemetry; only_core: its number; what `sample` reads
  local file name
  columns='uptime_s load_1m cores running cpu own' sensors='' counters='' counted='' only_core=''
  { read -r only_core <"$sys"/devices/system/cpu/online; } 2>/dev/null
  is_number "$only_core" || only_core=
  set +f
  for file in "$sys"/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq; do
    name=${file#"$sys"/devices/system/cpu/}
    sensor "$file" "${name%%/*}_khz"
  done
  for file in "$sys"/class/thermal/thermal_zone[0-9]*; do
    named "$file/type" && sensor "$file/temp" "temp:${REPLY}_mc"
  done
  for file in "$sys"/class/thermal/cooling_device[0-9]*; do # which slow the cores down, more with each state above 0
    named "$file/type" || continue
    case $REPLY in *cpufreq*) sensor "$file/cur_state" "cooling:$REPLY" ;; esac
  done
  for file in "$sys"/class/powercap/intel-rapl:[0-9]*; do
    case ${file##*/} in *:*:*) continue ;; esac # a part of another one
    named "$file/name" && sensor "$file/energy_uj" "energy:${REPLY}_uj"
  done
  for file in "$sys"/class/power_supply/*; do find_supply "$file"; done
  for file in "$sys"/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count; do
    { read -r _ <"$file"; } 2>/dev/null || continue
    name=${file#"$sys"/devices/system/cpu/}
    counters="$counters $file" counted="$counted -" name=${name%%/*}:${name##*/}
    columns="$columns throttle:${name%_throttle_count}"
  done
  set -f
}
sensor() { # file column ; where it can be read
  { read -r _ <"$1"; } 2>/dev/null || return 0
  sensors="$sensors $1" columns="$columns $2"
}
named() { { read -r REPLY <"$1"; } 2>/dev/null && encode "$REPLY"; } # file with a name -> REPLY: encoded
find_supply() { # folder ; what a battery gives, or what comes in; not what goes into a battery
  local state=''
  { read -r state <"$1/status"; } 2>/dev/null
  case $state in '' | Discharging) encode "${1##*/}" ;; *) return 0 ;; esac
  if [ -r "$1/current_now" ] && [ -r "$1/voltage_now" ]; then
    sensor "$1/current_now" "current:${REPLY}_ua"
    sensor "$1/voltage_now" "voltage:${REPLY}_uv"
  else
    sensor "$1/power_now" "power:${REPLY}_uw"
  fi
}

sample() { # `whole`, or nothing: without the counters of which two readings tell all -> line: of telemetry, at `uptime`
  # All is text, and sums are left to who reads it: mksh computes with 32 bits.
  local value='' file own='' running='' a b c d e f g h
  read -r value _ </proc/loadavg
  line="$uptime ${value:--} "
  see_threads
  line="$line${value:--} ${running:--}"
  a=''
  read -r _ a b c d e f g h _ <"$cpu_times"
  line="$line ${a:+$a,$b,$c,$d,$e,$f,$g,$h}"
  [ -n "$a" ] || line=$line-
  see_own
  line="$line ${own:--}"
  for file in $sensors; do
    value=-
    read -r value <"$file"
    line="$line ${value:--}"
  done
  [ -n "${1-}" ] || { line=$line$counted && return; }
  for file in $counters; do
    value=-
    read -r value <"$file"
    line="$line ${value:--}"
  done
} 2>/dev/null
see_threads() { # -> value: the core that each thread of the program was on last; running: of those that ran
  value=$only_core
  [ -z "$only_core" ] && [ -n "${child-}" ] || return 0
  set +f
  for file in "/proc/$child/task"/[0-9]*; do
    look "$child/task/${file##*/}" || continue
    value=$value,$core
    [ "$state" != R ] || running=$running,$core
  done
  set -f
  value=${value#,} running=${running#,}
}
see_own() { # -> own: the processor time of the program and of its descendants, in jiffies, as a sum to be made
  local more count=0
  if [ "${ended-}" = yes ]; then # all that the supervisor has waited for
    look $$ && own=$waited_user+$waited_system
    return
  fi
  # shellcheck disable=SC2086
  set -- ${child-}
  while [ $# -gt 0 ] && [ $count -lt 100 ]; do
    look "$1" && own=${own:+$own+}$user_time+$system_time+$waited_user+$waited_system
    more=''
    read -r more <"/proc/$1/task/$1/children"
    shift
    # shellcheck disable=SC2086
    set -- "$@" $more
    count=$((count + 1))
  done
}

watch_gpu() { # a line a second of each NVIDIA GPU, until the supervisor is gone: then nobody reads what nvidia-smi says
  command -v nvidia-smi >/dev/null || return
  nvidia-smi --query-gpu=index,power.draw,temperature.gpu,clocks.sm,clocks_throttle_reasons.active \
    --format=csv,noheader,nounits -l 1 | while IFS= read -r line; do
    [ "/proc/$supervisor/fd/8" -ef /proc/self/fd/8 ] || break
    clock
    put "$uptime $line"
  done
}

# A supervisor knows all that it needs: what follows is not even read.
case ${1-}:$# in supervise:5) shift && supervise "$@"; exit ;; esac

# ---- taking and giving back ------------------------------------------------------------------------------

do_lease() { # holder ttl_s [epoch] ; with the epoch of a lease that is held: this one, and no other, is taken over
  [ -n "$1" ] && [ ${#1} -le 200 ] && is_number "$2" && [ "$2" -gt 0 ] ||
    err usage "lease holder ttl_s [epoch]" || return
  local name former="${3-}" before
  encode "$1" && name=$REPLY
  lease_state
  before=$cut
  may_take || err held "$holder" "$age" "$ttl" "$epoch" "$held" || return
  find_shared
  read_mark=
  if see_rival; then tell_rival || return; fi
  clock
  until claim "held:$now:$2:$boot:$name"; do
    [ -z "$REPLY" ] || blame "$REPLY" || return
    lease_state # someone was faster; if it was only a job that gave its lost lease back, the device is free
    may_take || err held "$holder" "$age" "$ttl" "$epoch" "$held" || return
    clock
  done
  wipe lease/ran # the names of jobs of earlier leases, which can start no more
  end_all lease-lost || err stuck "$REPLY" || return # what an earlier lease left running
  restore_all "$epoch"
  if ! take_machine "$name" "$2"; then
    claim free
    tell_rival || return
  fi
  beat 2>/dev/null || beat_again 2>/dev/null || err disk-full "cannot write the beat" || return
  # shellcheck disable=SC2086 # words or none
  ok "$epoch" "$boot" $before ${own_room:+alone}
}

beat_again() { # on a full disk: in the place that the beat of an earlier lease takes
  local old=lease/none
  set +f
  for old in lease/beat.1*; do [ "$old" = "lease/beat.$epoch" ] || break; done
  set -f
  [ -s "$old" ] && clock && put $((now + 1000000000)) 1<>"$old" && mv -f "$old" "lease/beat.$epoch"
}

may_take() { [ -n "$expired" ] || [ "$epoch" = "$former" ]; }

do_break() { # epoch who ; the lease of this epoch, and no other, ends now, whoever holds it
  [ -n "$2" ] && [ ${#2} -le 200 ] || err usage "break epoch who" || return
  local who room
  encode "$2" && who=$REPLY
  find_room
  lease_state
  until [ "$epoch" = "$1" ] && [ -n "$holder" ] && claim "broken:$who"; do
    [ "$epoch" = "$1" ] && [ -n "$holder" ] || err stale "the lease is no longer $1 but $epoch" || return
    [ -z "$REPLY" ] || blame "$REPLY" || return
    lease_state
  done
  end_all lease-lost || err stuck "$REPLY" || return
  restore_all
  leave_machine "$room"
  ok
}

do_resume() { # epoch [boot, as `lease` told it]
  # A link that was not on the disk yet is gone after a power cut, and its number may be another's by now.
  [ "${2:-$boot}" = "$boot" ] || err device-restarted "boot $boot instead of $2" || return
  renew "$1" && ok "$boot"
}
do_beat() { renew "$1" && ok; } # epoch
renew() { # epoch ; tells why not
  if ! valid "$1"; then
    [ -z "$cut" ] || [ "$epoch" != "$1" ] || err device-restarted "$REPLY" || return
    tell_stale "$1" || return
  fi
  beat 2>/dev/null || err disk-full "cannot write the beat" || return
}

do_release() { # epoch
  lease_state
  [ -n "$holder" ] || { ok && return; } # the reply to an earlier release was lost
  [ "$epoch" = "$1" ] || err stale "the lease is no longer $1 but $epoch" || return
  end_all released || err stuck "$REPLY" || return
  restore_all "$1"
  find_room
  if claim free; then leave_machine "$room"; elif [ -n "$REPLY" ]; then blame "$REPLY" || return; fi
  touch_used
  ok
}

find_shared() { # -> shared: where users of this machine find each other; empty: there is no such place
  local folder
  shared=''
  set -- /run/lock /tmp
  [ -z "${FARM_SHARED-}" ] || set -- "$FARM_SHARED"
  for folder do
    [ -k "$folder" ] && [ -w "$folder" ] || continue
    folder=$folder/farm-machine
    [ -d "$folder" ] || { mkdir "$folder" && chmod 1777 "$folder"; } 2>/dev/null
    [ -k "$folder" ] || doze # another is just making it
    [ -k "$folder" ] && [ -w "$folder" ] && [ ! -h "$folder" ] && shared=$folder
    return 0
  done
}

see_rival() { # -> mark: the highest number; rival, its_workdir (encoded), its_age, its_ttl, its_held: who has the
  # machine from another workdir; fails when nobody has -> dead_room: of who had it and did not leave it
  local text since its_boot room beat
  [ -n "$shared" ] || return
  highest "$shared"
  mark=$REPLY dead_room=''
  is_mark "$mark" || return
  [ "$mark" = "$read_mark" ] || { mark_text=$(readlink "$shared/$mark" 2>/dev/null) && read_mark=$mark; } # for this lease
  case $mark_text in held:*:*:*:*:*' '*) text=${mark_text#held:} ;; *) return 1 ;; esac
  since=${text%%:*} text=${text#*:}
  its_ttl=${text%%:*} text=${text#*:}
  its_boot=${text%%:*} text=${text#*:}
  room=${text%%:*} text=${text#*:}
  is_number "$since" && is_number "$its_ttl" && is_name "$room" || return
  dead_room=$shared/$room
  [ "$its_boot" = "$boot" ] || return # the device was restarted since
  [ ! "$dead_room" -ef lease/machine ] || return # ours: who has the lease of this workdir has the machine
  clock
  its_held=$((now - since))
  room=$shared/$room/beat
  if [ -f "$room" ] && ! [ -h "$room" ] && { read -r beat <"$room"; } 2>/dev/null && is_mark "$beat"; then
    since=$((beat - 1000000000))
  fi
  its_age=$((now - since))
  [ "$its_age" -ge 0 ] && [ "$its_age" -le $((its_ttl + GRACE_S)) ] || return
  dead_room='' rival=${text%% *} its_workdir=${text#* }
}

tell_rival() { # as see_rival -> the reply; fails
  decode "$rival" && rival=$REPLY
  decode "$its_workdir" && its_workdir=$REPLY
  err held-elsewhere "$rival" "$its_age" "$its_ttl" 0 "$its_held" "$its_workdir"
}

take_machine() { # holder, encoded, ttl -> own_room: our room, empty where there is no lock; fails when a rival has it
  local tries=0 text
  own_room=''
  while [ -n "$shared" ] && [ $tries -lt 5 ]; do
    tries=$((tries + 1))
    ! see_rival || return
    is_mark "$mark" || break
    clock
    own_room=$shared/room.$$.$now.$tries
    mkdir "$own_room" 2>/dev/null || { own_room='' && continue; }
    { put $((now + 1000000000)) >"$own_room/beat"; } 2>/dev/null
    encode "$workdir" && text="held:$now:$2:$boot:${own_room##*/}:$1 $REPLY"
    if ln -s "$text" "$shared/$((mark + 1))" 2>/dev/null; then
      highest "$shared"
      if [ "$REPLY" = $((mark + 1)) ]; then
        own_machine
        return
      fi
      rm -f "$shared/$((mark + 1))"
    fi
    clear_room "$own_room"
    own_room=''
  done
  # That of an earlier lease, in whose place anybody may have made something by now: beats would go there.
  [ -n "$own_room" ] || [ ! -h lease/machine ] || rm -f lease/machine
  return 0
}

own_machine() { # our room is `own_room`; that of who had the machine and did not leave it goes, may it be ours
  # A room of the same second has the same name.
  [ ! -d lease/machine ] || [ lease/machine -ef "$own_room" ] || clear_room "$(readlink lease/machine)"
  ln -sfn "$own_room" lease/machine
  [ -z "$dead_room" ] || clear_room "$dead_room"
  return 0
} 2>/dev/null

do_others() { # command lines of what may supervise a job, of all workdirs, as /proc/<pid>/cmdline has them
  local copy="lease/others.$$"
  # shellcheck disable=SC2046 # splitting is meant
  (cd /proc && set +f && exec cat $(grep -ls supervise [0-9]*/cmdline)) >"$copy" 2>/dev/null
  size_of "$copy"
  answer data "$REPLY" && cat "$copy"
  rm -f "$copy"
}

# ---- jobs, as the controller asks for them --------------------------------------------------------------

do_start() { # epoch job wall_s silence_s n_env K=V... n_folders folder... n_copies name=digest... argv...
  local job="$2" limit="$1 $3 $4" mark="lease/ran/$1.$2" why
  valid "$1" || tell_stale "$1" || return
  limit="$limit $lease_text"
  is_name "$2" && is_number "$3" && is_number "$4" || err usage "start epoch job wall_s silence_s ..." || return
  # A name counts once under a lease: a connection that comes back to life may ask for a job that has run meanwhile.
  [ ! -d "spool/$job" ] && [ ! -f "$mark" ] || err exists "$job" || return
  attempt mkdir -p "spool/$job/out" "spool/$job/tmp" lease/ran || blame "$why" || return
  if ! be_first "$mark"; then
    [ ! -f "$mark" ] || err exists "$job" || return # another session was faster
    blame 'No space left' || return
  fi
  { put "$$ $agent_born $boot" >"spool/$job/starter"; } 2>/dev/null # see is_starting
  shift 4
  prepare "$@" && launch || { rm -rf "spool/${job:?}" "$mark" && return 1; }
}

prepare() { # as do_start, from n_env on ; fills the folder of job, which runs under limit
  local dir="spool/$job" out="spool/$job/out" given=' ' command='' kind count word why search="$PATH"
  for kind in setting folder copy; do
    is_number "$1" && [ "$1" -lt $(($# - 1)) ] || err usage "start: the count of ${kind}s is wrong" || return
    count=$1 && shift
    while [ "$count" -gt 0 ]; do
      "prepare_$kind" "$1" || return
      shift && count=$((count - 1))
    done
  done
  for word in "PATH=$PATH" "HOME=${HOME:-/}" LANG=C "TMPDIR=$workdir/$dir/tmp"; do
    case $given in *" ${word%%=*} "*) continue ;; esac # toybox's `env` would keep both
    encode "$word" && command=$NL$REPLY$command
  done
  case $1 in '' | *=*) err usage "not a program: $1" || return ;; esac # `env` would take it for a variable
  require_program "$1" || return
  for word do
    encode "$word" && command=$command$NL$REPLY
  done
  attempt write_job || blame "${why:-No space left}" || return
}
write_job() {
  put "$limit" >"$dir/limit" && put "${command#"$NL"}" >"$dir/command" &&
    # Room for the end is taken now: see conclude.
    put '-             ' >"$dir/why" &&
    put "                                                                                " >"$dir/exit.new" &&
    true >"$dir/stdout" && true >"$dir/stderr" && true >"$dir/telemetry"
}
attempt() { "$@" 2>/dev/null || why=$("$@" 2>&1); } # command... ; fails with what it said in why

prepare_setting() { # K=V
  case $1 in *=*) ;; *) err usage "not K=V: $1" || return ;; esac
  case ${1%%=*} in '' | [0-9]* | *[!A-Za-z0-9_]*) err usage "not K=V: $1" || return ;; esac
  case $1 in LD_LIBRARY_PATH=*'~/'*) at_home "${1#*=}" && set -- "LD_LIBRARY_PATH=$REPLY" ;; esac
  case $1 in PATH=*) search=${1#PATH=} ;; esac
  encode "$1" && command=$command$NL$REPLY given="$given${1%%=*} "
}
at_home() { # a list of folders as in PATH -> REPLY, with each `~/` at a beginning expanded
  local rest="$1:" one
  REPLY=''
  while [ -n "$rest" ]; do
    one=${rest%%:*} rest=${rest#*:}
    case $one in '~/'*) one=${HOME-}${one#'~'} ;; esac
    REPLY=$REPLY:$one
  done
  REPLY=${REPLY#:}
}
prepare_folder() { # path
  is_path "$1" || err usage "not a relative path: $1" || return
  why=$(mkdir -p "$out/$1" 2>&1) || blame "$why" || return
}
prepare_copy() { # path=digest ; no link, since load_and_run writes its cache files anew at the end of every round
  is_path "${1%=*}" && is_digest "${1##*=}" || err usage "not path=digest: $1" || return
  entry "${1##*=}" && [ -f "$REPLY" ] || err missing "${1##*=}" || return
  why=$(cat "$REPLY" 2>&1 >"$out/${1%=*}") || blame "$why" || return
}

launch() {
  local said started
  count_forks || started=-
  # The supervisor says the command's pid and closes its output: its death is an end of file, not a wait for ever.
  # Its descriptor 5 is a pipe that nobody writes to, see `await`: its reading end is closed at once, by the `:`.
  said=$(
    exec 3>&1 4<&- </dev/null
    setsid sh "$self" supervise "$workdir" "$job" "$started" "$numbers" 5>&1 >&3 2>&3 3>&- | : &
  )
  is_number "${said##*"$NL"}" && ok "${said##*"$NL"}" && return # each program may complain before it begins
  valid "${limit%% *}" || tell_stale "${limit%% *}" || return
  blame "the supervisor did not start: $said"
}

do_poll() { # job
  is_starting "$1" || job_state "$1" || err unknown "$1" || return
  tell_state
}
tell_state() { put "$id ok $is $code $why $out_size $err_size $telemetry_size"; }

do_wait() { # job ; as `poll`, but once it has ended, and nothing else is answered before
  is_starting "$1" || job_state "$1" || err unknown "$1" || return
  # Where the system hides the supervisor's pipe the asking goes on as with `poll`.
  [ "$is" = running ] && [ -p "/proc/$supervisor/fd/5" ] || { tell_state && return; }
  # Where a connection was lost and nobody told its server, who waits on the next one is the one who is listened to.
  { put $$ >"spool/$job/waiter"; } 2>/dev/null || { tell_state && return; }
  await
  [ -d "spool/$job" ] || err unknown "$job" || return
  { read -r REPLY <"spool/$job/waiter"; } 2>/dev/null
  [ "$REPLY" = $$ ] || exit 0
  tell_state
}
await() { # the end of the supervisor, which holds this pipe: blocks in the kernel, costs nothing
  # Opened for writing too at first: the pipe of an older agent's job has a name, and waits for a writer, who may be
  # gone by now.
  local looks=50
  {
    command exec 5<>"/proc/$supervisor/fd/5" && command exec 6</proc/self/fd/5 && exec 5>&- && read -r _ <&6
    exec 5>&- 6<&-
  } 2>/dev/null
  # The files of one that was killed are closed before it is gone from the process table.
  while job_state "$job" && [ "$is" = running ] && [ $looks -gt 0 ]; do
    doze
    looks=$((looks - 1))
  done
}

do_kill() { # job
  job_state "$1" || err unknown "$1" || return
  end_job "$1" killed || err stuck "$REPLY" || return
  ok
}

do_drop() { # job... ; one that is gone already is no mistake: the reply may have been lost
  local why one
  for one do
    shift
    is_name "$one" || err usage "not a name: $one" || return
    ! job_state "$one" || [ "$is" = exited ] || err running "$one" || return
    set -- "$@" "spool/$one"
  done
  close_file # or its bytes would stay on the disk
  why=$(rm -rf "$@" 2>&1) || blame "$why" || return
  ok
}

do_jobs() {
  local name all=''
  jobs_of_spool
  for name in $REPLY; do
    job_state "$name" && all="$all $job=$is"
  done
  # shellcheck disable=SC2086 # is_name
  ok $all
}

do_read() { # job relative-path offset max
  local file="spool/$1/$2" from="$3" count="$4" rest
  is_name "$1" && is_path "$2" && is_size "$3" && is_number "$4" || err usage "read job path offset max" || return
  is_plain "spool/$1" "$2" && open_file "$file" || err missing "$2" || return
  # shellcheck disable=SC2046
  set -- $(ls -ln -- "$file" 2>/dev/null) # `wc -c` of busybox reads all of it
  minus "${5:-0}" "$from" && rest=$REPLY
  [ ${#rest} -gt 9 ] || [ "$rest" -ge "$count" ] || count=$rest
  answer data "$count"
  # A file that shrinks meanwhile is filled up, so that the line stays in step; its digest will tell.
  if [ "$count" = 0 ]; then
    :
  elif reach "$file" "$from"; then
    head -c "$count" <&4
    offset_of $$ 4 && minus "$REPLY" "$from" && minus "$count" "$REPLY"
    [ "$REPLY" = 0 ] || head -c "$REPLY" /dev/zero
  else
    { tail -c "$rest" "$file" | head -c "$count" && cat /dev/zero; } 2>/dev/null | head -c "$count"
  fi
}
do_pick() { # job size path... ; small files one after the other, cut or filled up to so many bytes in all: see do_read
  local job="$1" size="$2" path
  is_name "$1" && is_number "$2" || err usage "pick job size path..." || return
  shift 2
  for path do
    is_path "$path" && is_plain "spool/$job" "$path" || err missing "$path" || return
  done
  answer data "$size"
  [ "$size" = 0 ] || (cd "spool/$job" && { cat -- "$@"; cat /dev/zero; } | head -c "$size") 2>/dev/null
}
# A file stays open from block to block: where one ended the next one begins, without any search. `tail -c +N` of
# busybox and toybox would read everything before it.
open_file() { # file ; as descriptor 4, unless it is this one already
  [ "$1" -ef "/proc/$$/fd/4" ] || { command exec 4<"$1"; } 2>/dev/null
}
close_file() { exec 4<&-; }
reach() { # file offset ; descriptor 4 stands there; fails where there is no `dd` (toybox's `tail` can search backwards)
  offset_of $$ 4
  [ "$REPLY" != "$2" ] || return 0
  { command exec 4<"$1"; } 2>/dev/null
  [ "$2" != 0 ] || return 0
  command -v dd >/dev/null && dd bs=1 count=0 "skip=$2" <&4 2>/dev/null
  offset_of $$ 4
  [ "$REPLY" = "$2" ]
}
minus() { # size size -> REPLY: the difference, or 0; in two parts of nine digits, since 32 bits are too few
  local high low less_high less_low
  in_parts "$2" && less_high=$high less_low=$low
  in_parts "$1" && high=$((high - less_high)) low=$((low - less_low))
  [ $low -ge 0 ] || { low=$((low + 1000000000)) && high=$((high - 1)); }
  case $high in
    -*) REPLY=0 ;;
    0) REPLY=$low ;;
    *) low=$((low + 1000000000)) && REPLY=$high${low#1} ;;
  esac
}
in_parts() { # size -> high, low
  high=0 low=$1
  [ ${#1} -le 9 ] || { high=${1%?????????} && low=$((1${1#"$high"} - 1000000000)); } # the 1 keeps the zeros
}

do_gather() { # job max ; all that is left of an ended job, as far as it is not long: its streams and what is below out/
  local listing='' stream size total max="$2" shown='' sizes=''
  is_number "$2" && [ ${#2} -le 7 ] || err usage "gather job max" || return
  ! is_starting "$1" || err running "$1" || return
  job_state "$1" || err unknown "$1" || return
  [ "$is" = exited ] || err running "$1" || return
  # To look at its files would be work in the time of who has the device next.
  case $why in released | lease-lost) err unknown "$1" || return ;; esac
  ! has_any "spool/$job/out" || listing=$(cd "spool/$job/out" && list .)
  total=$((${#listing} + 1))
  for stream in "stdout $out_size" "stderr $err_size" "telemetry $telemetry_size"; do
    size=${stream#* } stream=${stream% *}
    is_size "$size" && is_plain "spool/$job" "$stream" || size=0
    sizes="$sizes $size"
    [ ${#size} -lt ${#max} ] || { [ ${#size} -eq ${#max} ] && [ "$size" -le "$max" ]; } || size=$max
    [ "$size" = 0 ] || shown="$shown $stream $size"
    total=$((total + size))
  done
  # shellcheck disable=SC2086
  answer data "$total" $((${#listing} + 1)) $sizes
  put "$listing"
  # shellcheck disable=SC2086
  put_streams $shown
}
has_any() { # folder
  set +f
  set -- "$1"/* "$1"/.[!.]* "$1"/..?*
  set -f
  [ -e "$1" ] || [ -h "$1" ] || [ -e "$2" ] || [ -h "$2" ] || [ -e "$3" ] || [ -h "$3" ]
}
put_streams() { # (stream size)... ; what shrank since is filled up, so that the line stays in step
  local text line
  while [ $# -gt 0 ]; do
    close_file
    text=
    if [ ${#2} -le 3 ] && [ "$1" = telemetry ]; then # a few lines of our own: no program is needed for them
      while IFS= read -r line; do text=$text$line$NL; done <"spool/$job/$1"
    fi
    if [ ${#text} = "$2" ]; then
      put "${text%"$NL"}"
    elif open_file "spool/$job/$1"; then
      head -c "$2" <&4
      offset_of $$ 4 && minus "$2" "$REPLY"
      [ "$REPLY" = 0 ] || head -c "$REPLY" /dev/zero
    else
      head -c "$2" /dev/zero
    fi
    shift 2
  done
  close_file
} 2>/dev/null
list() { # folder ; a line `<sha256> <size> <encoded path>` for each regular file below it
  # Names may hold anything, so they come from patterns and not from `find`.
  local batch='' count=0
  walk "$1"
  # shellcheck disable=SC2086
  [ -z "$batch" ] || digests_of $batch
} 2>/dev/null
walk() { # folder ; plain names go into batch, for a fork for many
  local file sum
  set +f
  for file in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ ! -h "$file" ] || continue
    if [ -d "$file" ]; then
      walk "$file"
      continue
    fi
    [ -f "$file" ] || continue
    [ -r "$file" ] || chmod u+r "$file"
    case $file in
      *[!A-Za-z0-9._/+,=@-]*)
        sum=$(sha256sum <"$file") || continue
        size_of "$file" && size=$REPLY
        encode "${file#./}" && put "${sum%% *} $size $REPLY"
        ;;
      *)
        batch="$batch $file" count=$((count + 1))
        # shellcheck disable=SC2086
        [ $count -lt 200 ] || { digests_of $batch && batch='' count=0; }
        ;;
    esac
  done
}
digests_of() { # plain paths ; a file that vanishes meanwhile is left out, which the name on its line shows
  local sums sizes file
  sums=$(sha256sum -- "$@" 2>/dev/null) sizes=$(wc -c -- "$@" 2>/dev/null)
  for file do
    case ${sums%%"$NL"*} in *" $file") ;; *) continue ;; esac
    # shellcheck disable=SC2086
    set -- ${sizes%%"$NL"*}
    put "${sums%% *} $1 ${file#./}"
    sums=${sums#*"$NL"} sizes=${sizes#*"$NL"}
  done
}

require_program() { # program, as `env` would find it in the folder of the job ; fails where the kernel would not run it
  local file="$1" folder blanks="$IFS"
  case $1 in
    /*) ;;
    */*) file=$dir/out/$1 ;;
    *)
      IFS=:
      for folder in $search; do
        [ ! -f "$folder/$1" ] || { file=$folder/$1 && break; }
      done
      IFS=$blanks
      ;;
  esac
  [ "$file" != "${looked-}" ] && [ -x "$file" ] || return 0 # `env` says what is missing, or not executable
  find_machine
  look_at "$file"
  case $kind in
    '' | script) ;; # what cannot be read, no shell can run either
    cut | other) err not-a-program "$1" || return ;;
    *) runs "$kind" || err wrong-architecture "$1" "$kind" "$machine" || return ;;
  esac
  case $file in "$workdir"/trees/*) looked=$file ;; esac # what has its digest in its name stays as it is
}

do_sense() { # two lines as of telemetry, of now
  local line child=''
  [ -n "${columns-}" ] || find_sensors
  clock && sample whole
  send "$columns$NL$line"
}
do_processes() { send "$(cd /proc && set +f && exec grep -hs . [0-9]*/stat)"; } # a line for each, see proc(5)

# ---- the store ------------------------------------------------------------------------------------------

entry() { REPLY=cas/${1%"${1#??}"}/$1; } # digest -> REPLY: where it is kept

# No write-back in the middle of a round, and no part of a file under a whole one's name after a power cut, as far as
# the disk keeps its word: `verify` looks.
flush() { fsync "$1" 2>/dev/null || sync "$1" 2>/dev/null || sync; }

do_have() { # digest... ; a linked entry counts as missing
  local digest missing='' some='' count=0
  for digest do
    is_digest "$digest" || err usage "not a digest: $digest" || return
    if is_kept "$digest"; then
      use "$REPLY"
    else
      REPLY=0
      [ -f "incoming/$digest" ] && size_of "incoming/$digest"
      some="$some $digest=$REPLY" count=$((count + 1))
      [ $((count % 64)) -ne 0 ] || missing=$missing$some some= # as in `answer`
    fi
  done
  # shellcheck disable=SC2086 # hexadecimal names
  ok $missing $some
}
use() { # path of the store ; what was not used for longest goes first, and the times of files are for that
  used="$used $1" uses=$((uses + 1))
  [ $uses -lt 200 ] || touch_used
}
touch_used() { # one process for all of a session, when its rounds are over
  # shellcheck disable=SC2086 # hexadecimal names
  [ -z "$used" ] || touch -c $used
  used='' uses=0
} 2>/dev/null
used='' uses=0

do_verify() { # digest... ; entries that are not what they should be go, and are told: see flush
  local digest files='' count=0 damaged=''
  for digest do
    is_digest "$digest" || err usage "not a digest: $digest" || return
    is_kept "$digest" || continue
    files="$files $REPLY" count=$((count + 1))
    [ $count -lt 200 ] || { find_damaged && files='' count=0; }
  done
  find_damaged
  # shellcheck disable=SC2086 # hexadecimal names
  ok $damaged
}
find_damaged() { # files -> damaged, further: digests of those that are gone now
  local file sums
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086
  sums=$NL$(sha256sum $files 2>/dev/null)
  for file in $files; do
    # One that the disk cannot read any more has no line.
    case $sums in *"$NL${file##*/} "*) continue ;; esac
    rm -f "$file"
    damaged="$damaged ${file##*/}"
  done
}

keep() { # file digest [its digest, where it is known] ; a file below incoming/ gets its place, if it is what it should be
  local sum="${3-}" why
  [ -n "$sum" ] || { sum=$(sha256sum <"$1") && sum=${sum%% *}; }
  if [ "$sum" != "$2" ]; then
    rm -f "$1"
    err digest-mismatch "the bytes have the digest $sum" || return
  fi
  entry "$2"
  # Executable and read-only for all: the store does not know what a file is for.
  why=$({ chmod 555 "$1" && mkdir -p "${REPLY%/*}" && flush "$1" && mv -f "$1" "$REPLY"; } 2>&1) ||
    blame "$why" || return
  ok
}

is_kept() { entry "$1" && [ -f "$REPLY" ] && ! [ -h "$REPLY" ]; } # a linked file may have changed

do_adopt() { # job path digest ; a file that a job wrote
  local part="incoming/adopt.$$" why
  is_name "$1" && is_path "$2" && is_digest "$3" || err usage "adopt job path digest" || return
  ! is_kept "$3" || { ok && return; }
  is_plain "spool/$1" "out/$2" || err missing "$2" || return
  why=$(cp "spool/$1/out/$2" "$part" 2>&1) || { rm -f "$part" && blame "$why"; } || return
  keep "$part" "$3"
}

do_link() { # (digest path)... ; entries that are files of the device itself
  local why
  while [ $# -gt 0 ]; do
    is_digest "$1" && [ $# -gt 1 ] || err usage "link (digest path)..." || return
    case $2 in /*) ;; *) err usage "not an absolute path: $2" || return ;; esac
    [ -f "$2" ] && [ -r "$2" ] || err missing "$2" || return
    is_linked "$1" "$2" || why=$(enter "$2" 2>&1) || blame "$why" || return
    shift 2
  done
  ok
}
is_linked() { entry "$1" && [ -h "$REPLY" ] && [ "$REPLY" -ef "$2" ]; }
enter() { # path ; at REPLY
  local new="incoming/link.$$"
  [ -d "${REPLY%/*}" ] || mkdir -p "${REPLY%/*}" || return
  if [ -h "$REPLY" ] || [ -f "$REPLY" ]; then
    rm -f "$new" && ln -s "$1" "$new" && mv -f "$new" "$REPLY"
  else
    ln -s "$1" "$REPLY"
  fi
}

do_tree() { # name (relative-path=digest)... ; whole or not at all
  local tree="trees/$1" new="trees/.new.$$" pair path store whole=yes why
  is_name "$1" || err usage "not a name: $1" || return
  shift
  for pair do
    path=${pair%=*}
    is_path "$path" && is_digest "${pair##*=}" || err usage "not path=digest: $pair" || return
    entry "${pair##*=}"
    [ -f "$REPLY" ] || err missing "${pair##*=}" || return
    [ "$tree/$path" -ef "$REPLY" ] || whole=
  done
  if [ -z "$whole" ] || ! [ -d "$tree" ]; then
    why=$({ wipe "$new" "$tree" && mkdir "$new" && for pair do
      path=${pair%=*}
      case $path in */*) mkdir -p "$new/${path%/*}" || exit ;; esac
      entry "${pair##*=}"
      ln -s "$workdir/$REPLY" "$new/$path" || exit
    done && mv "$new" "$tree"; } 2>&1) || { rm -rf "$new" && blame "$why"; } || return
  fi
  use "$tree" # it is the last that goes
  ok "$workdir/$tree"
}

do_stock() { touch_used && send "$(stock 2>/dev/null)"; }
stock() { # sections for farm/device/disk/stock.py: what there is, what was not used for longest before the rest
  part df && df -Pk .
  if has_any cas || has_any incoming; then
    part sizes && du -ak cas incoming
    part files && (cd cas && set +f && ls -1drt ./*/*)
  fi
  if has_any trees; then
    part trees && ls -1Art trees
    part links && ls -lRA trees
  fi
}

do_remove() { # epoch path... ; files, partial uploads and trees of the store
  local path why
  valid "$1" || tell_stale "$1" || return
  shift
  case $(do_jobs) in *=running*) err busy "a job is running" || return ;; esac
  for path do
    case $path in
      trees/*/* | incoming/*/* | cas/*/*/*) path= ;;
      trees/?* | incoming/?* | cas/?*/?*) ;;
      *) path= ;;
    esac
    is_path "$path" || err usage "remove epoch path..." || return
  done
  why=$(rm -rf "$@" 2>&1) || blame "$why" || return
  ok
}

# ---- settings of the device -----------------------------------------------------------------------------
# What `set` changes is written down first, in settings/<epoch>: a line `<boot> <how> <holder>`, then a line
# `<path below /sys> <value before>` for each change. It is restored in reverse order by whoever comes first once the
# lease has ended: `unset` or `release`, a guard that lives as long as there is something to restore, the watch of a
# round (by another guard), or the next agent. Who restores a journal has renamed it to
# settings/busy.<epoch>.<pid>.<born>, which one process can. What could not be restored stays in settings/left.<epoch>
# and is tried again by the next holder. A restart makes the kernel forget settings: journals of another boot go.

is_setting() { # path value
  local number="${1#devices/system/cpu/cpu}"
  number=${number%%/*}
  is_name "$2" || return
  case $1 in devices/system/cpu/cpufreq/boost | devices/system/cpu/intel_pstate/no_turbo) return ;; esac
  is_number "$number" || return
  case ${1#"devices/system/cpu/cpu$number/cpufreq/"} in
    scaling_governor | scaling_min_freq | scaling_max_freq) ;;
    *) return 1 ;;
  esac
}

do_set() { # epoch how (path value)... ; tells of those that did not take their value: path value why
  local mine="$1" how="$2" new='' failed='' changed='' why had=''
  valid "$1" || tell_stale "$1" || return
  case $2:$(($# % 2)) in direct:0 | sudo:0) ;; *) err usage "set epoch direct|sudo (path value)..." || return ;; esac
  shift 2
  note_settings "$@" || err usage "not a setting: $REPLY" || return
  if [ -n "$new" ]; then
    [ ! -s "settings/$mine" ] || had=yes
    attempt write_journal || blame "${why:-No space left}" || return
    start_guard || err io "the guard of the settings did not start" || return
  fi
  while [ $# -gt 0 ]; do
    write_setting "$1" "$2" || { encode "$REPLY" && failed="$failed $1 $2 $REPLY"; }
    shift 2
  done
  [ -z "$new" ] || [ -n "$changed$had" ] || restore_all "$mine"
  put "$id ok$failed"
}
note_settings() { # (path value)... -> new: lines for the journal; fails with what is no setting in REPLY
  local planned=''
  while [ $# -gt 0 ]; do
    REPLY="$1=$2"
    is_setting "$1" "$2" || return
    case $planned in # what this request has set by then
      *"$NL$1 "*) setting=${planned##*"$NL$1 "} && setting=${setting%%"$NL"*} ;;
      *) read_setting "$1" && may_write "$1" || setting=$2 ;;
    esac
    [ "$setting" = "$2" ] || { new=$new$NL"$1 $setting" && planned=$planned$NL"$1 $2"; }
    shift 2
  done
}
may_write() { [ "$how" = sudo ] || [ -w "$sys/$1" ]; }
write_journal() {
  local journal="settings/$mine" old
  encode "$holder" && old="$boot $how $REPLY"
  [ -d settings ] || mkdir settings || return
  [ ! -s "$journal" ] || old=$(cat "$journal") || return
  put "$old$new" >"settings/new.$mine" && flush "settings/new.$mine" && mv -f "settings/new.$mine" "$journal"
}
read_setting() { # path -> setting; fails where it cannot be read
  local line
  { fetch "$sys/$1" && setting=$line; } 2>/dev/null || setting=
  is_name "$setting" || setting=
  [ -n "$setting" ]
}
write_setting() { # path value -> changed; fails with the reason in REPLY
  local file="$sys/$1" why=''
  REPLY='it cannot be read'
  [ -e "$file" ] || REPLY='the kernel does not have it'
  read_setting "$1" || return
  [ "$setting" != "$2" ] || return 0
  REPLY='no right to write it'
  may_write "$1" || return
  if [ "$how" = sudo ]; then
    why=$(put "$2" | sudo -n tee "$file" 2>&1 >/dev/null)
  else
    { put "$2" >"$file"; } 2>/dev/null
  fi
  read_setting "$1"
  REPLY=${why:-it is ${setting:-nothing} instead}
  REPLY=${REPLY%%"$NL"*}
  [ "$setting" = "$2" ] && changed=yes
}

do_may() { # how path... ; tells of the settings that the user could not change: path why. Changes none, takes no lease
  local how="$1" path why refused=''
  case $how in direct | sudo) ;; *) err usage "may direct|sudo path..." || return ;; esac
  shift
  for path do
    is_setting "$path" 0 || err usage "not a setting: $path" || return
    why=$(why_not "$path") || { encode "${why%%"$NL"*}" && refused="$refused $path $REPLY"; }
  done
  put "$id ok$refused"
}
why_not() { # path ; fails, with the reason on stdout
  local why
  [ -e "$sys/$1" ] || { put 'the kernel does not have it' && return 1; }
  may_write "$1" || { put 'no right to write it' && return 1; }
  [ "$how" != sudo ] || why=$(sudo -n -l tee "$sys/$1" 2>&1) || { put "${why:-sudo does not allow it}" && return 1; }
}

do_unset() { # epoch ; tells as `settings`
  valid "$1" || tell_stale "$1" || return
  restore_all "$1"
  do_settings
}

restore_all() { # (epoch of this process) ; of leases that have ended and of this one: the last first
  local file files=''
  [ -d settings ] || return 0
  [ -z "${1-}" ] || rm -f "settings/new.$1"
  set +f
  for file in settings/[1lb]*; do files="$file $files"; done
  set -f
  for file in $files; do
    [ -n "${1-}" ] || { lease_state && [ -n "$expired" ]; } || return 0 # who holds the device does it
    restore_of "$file"
  done
  end_guards
  rmdir settings 2>/dev/null
  return 0
}
restore_of() { # file of settings/
  local number="${1##*/}" busy
  number=${number#left.} number=${number#busy.} number=${number%%.*}
  case $1 in */busy.*) until_restored "$1" && return ;; esac
  look $$ && busy=settings/busy.$number.$$.$born
  mv "$1" "$busy" 2>/dev/null && restore_journal "$busy" "$number" # or another was faster
}
until_restored() { # busy file ; fails when who was at it has died, after 5 s by our hand
  local pid="${1#*.*.}" tries=50 its_born
  its_born=${pid#*.} pid=${pid%%.*}
  while [ -e "$1" ] && [ "$pid" != $$ ] && look "$pid" && [ "$born" = "$its_born" ] && [ "$state" != Z ]; do
    [ $tries -gt 0 ] || kill -KILL "$pid" 2>/dev/null
    doze
    tries=$((tries - 1))
  done
  [ ! -e "$1" ]
}
restore_journal() { # file epoch
  local file="$1" number="$2" first='' how='' who path value left='' changed=''
  { read -r first how who <"$file"; } 2>/dev/null
  if [ "$first" = "$boot" ]; then
    set -- # the lines in reverse order
    while read -r path value _; do
      ! is_setting "$path" "$value" || set -- "$path $value" "$@"
    done <"$file"
    while [ $# -gt 0 ]; do
      write_setting "${1% *}" "${1#* }" || { encode "$REPLY" && left=$NL"$1 $REPLY$left"; }
      shift
    done
    [ -z "$left" ] || { put "$first $how $who$left" >"$file.left" && mv -f "$file.left" "settings/left.$number"; }
  fi
  rm -f "$file"
} 2>/dev/null

start_guard() { # a process that restores settings when this lease has ended and nobody else did
  local left=50
  guard_settings "$mine"
  until is_guarded "$mine"; do
    [ $left -gt 0 ] || return
    left=$((left - 1))
    doze
  done
}
has_journal() { # epoch ; to be restored, or being restored
  local file
  [ ! -e "settings/$1" ] || return 0
  set +f
  for file in "settings/busy.$1".*; do :; done
  set -f
  [ -e "$file" ]
}
end_guards() { # of leases without a journal, unless it is this process
  local file guard
  set +f
  set -- settings/guard.*
  set -f
  for file do
    [ -e "$file" ] && ! has_journal "${file##*.}" || continue
    ! is_guarded "${file##*.}" || [ "$guard" = $$ ] || kill -KILL "-$guard" 2>/dev/null
    rm -f "$file"
  done
}
guard() { # workdir epoch
  workdir=$1 mine=$2
  cd "$workdir" || return
  find_boot
  ! is_guarded "$mine" || return 0
  look $$ && put "$$ $born" >"settings/guard.$mine"
  while has_journal "$mine"; do
    restore_all
    ! has_journal "$mine" || sleep $PAUSE_OF_GUARD_S
  done
} 2>/dev/null
PAUSE_OF_GUARD_S=5

# ---- uploads ---------------------------------------------------------------------------------------------
# Each has a channel of its own, whose input is the file: it ends with it.

receive() { # workdir digest offset size [gzip] ; what comes is appended to a partial upload, which is kept once it is whole
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_digest "$2" && is_size "$3" && is_size "$4" || err usage "receive workdir digest offset size [gzip]" || return
  local part="incoming/$2" reader=cat why there sum=
  [ "${5-}" != gzip ] || reader="zcat"
  [ "$3" != 0 ] || rm -f "$part" # 0 begins anew
  size_of "$part"
  [ "$REPLY" = "$3" ] || err offset "$REPLY" || return
  minus "$4" "$3"
  if [ ${#REPLY} -lt 8 ]; then
    why=$({ $reader >>"$part"; } 2>&1)
    size_of "$part"
    there=$REPLY
  else
    why=$({ : >>"$part"; } 2>&1) && read_told "$(append "$part")"
  fi
  if [ -n "$why" ]; then
    case $why in *'No space left'* | *uota*exceeded*) rm -f "$part" ;; esac # leave room for others
    blame "$why" || return
  fi
  [ "$there" = "$4" ] || err short "$there" "of $4 are here" || return
  keep "$part" "$2" "$sum"
}
runs_on() { look "$1" && [ "$state" != Z ]; } # pid
append() { # part -> on stdout: what went wrong, its size, and the digest of the whole file, a line each. It is read and
  # written to the disk while more of it comes: a large one is ready soon after its last byte. Its size is that of the
  # moment in which nothing more came: soon after a cut connection another process may go on with the same file.
  exec 3<&0
  {
    $reader <&3 2>&1 >>"$1" || put "the upload could not be written"
    size_of "$1"
    put "$REPLY"
  } &
  local writer=$! sum looks=0
  while runs_on $writer && rest; do flush "$1"; done >/dev/null 2>&1 &
  sum=$({ while runs_on $writer; do cat <&4 && linger; done && cat <&4; } 4<"$1" | sha256sum)
  wait
  put "${sum%% *}"
}

rest() { sleep 0.3 2>/dev/null || sleep 1; }
linger() { # less often when it takes long: each look is two processes, and ten uploads at once are short of the cores
  looks=$((looks + 1))
  if [ "$looks" -le 10 ]; then doze; else rest; fi
}
read_told() { # what `append` said -> why, there, sum
  sum=${1##*"$NL"}
  why=${1%"$NL$sum"}
  is_digest "$sum" || { sum='' && why=$1; } # a `sha256sum` that was killed
  there=${why##*"$NL"}
  why=${why%"$there"}
}

unpack() { # workdir count [gzip] ; a tar archive of so many small files, each as <aa>/<digest>: all are kept, or none
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_number "$2" || err usage "unpack workdir count [gzip]" || return
  command -v tar >/dev/null || err no-tool tar || return
  local new="incoming/unpack.$$" why
  why=$({ wipe "$new" "$new.link" && mkdir "$new" && if [ "${3-}" = gzip ]; then zcat | tar xf - -C "$new"; else tar xf - -C "$new"; fi; } 2>&1) ||
    { rm -rf "$new" && blame "$why"; } || return
  set +f
  is_as_named "$2" || { rm -rf "$new" && err digest-mismatch "$REPLY"; } || return
  why=$(keep_all 2>&1) || { rm -rf "$new" "$new.link" && blame "$why"; } || return
  rm -rf "$new" "$new.link"
  ok
}
is_as_named() { # count ; whether so many files are in new, each with the content that its name says
  local left="$1"
  # shellcheck disable=SC2046 # digests, and names that are compared with them
  set -- $(cd "$new" && sha256sum -- */* 2>/dev/null)
  while [ $# -gt 1 ]; do
    [ "$1" = "${2#*/}" ] && is_digest "$1" && [ "${2%%/*}" = "${1%"${1#??}"}" ] || { REPLY="$2 has the digest $1" && return 1; }
    left=$((left - 1))
    shift 2
  done
  REPLY="$left files did not come" && [ "$left" = 0 ]
}
keep_all() { # what is in new gets its place; a folder that is not there yet with all that is in it
  local folder whole='' merged='' count=0
  (cd "$new" && touch -c -- */*) || return # last used now, by the device's clock
  sync -f "$new" 2>/dev/null || sync || return
  for folder in "$new"/*; do
    if [ -d "cas/${folder##*/}" ]; then merged="$merged $folder" count=$((count + 1)); else whole="$whole $folder"; fi
  done
  # shellcheck disable=SC2086 # two hexadecimal digits each
  [ -z "$whole" ] || mv $whole cas/ || return
  # shellcheck disable=SC2086
  [ $count -le 4 ] || ! has_links || ! cp -rlf $merged cas/ 2>/dev/null || return 0 # a process instead of one for each
  for folder in $merged; do
    forget_linked "$folder"
    set -- "$folder"/*
    [ ! -e "$1" ] || mv -f "$@" "cas/${folder##*/}/" || return
  done
}
has_links() { # whether a file can have two names here: `cp -f` of busybox takes the old one away before it sees
  set -- "$new"/*/*
  ln "$1" "$new.link" 2>/dev/null
}
forget_linked() { # folder ; what is in its place already: GNU's `mv` will not have it
  local file linked=''
  for file in "$1"/*; do
    [ ! "$file" -ef "cas/${file#"$new/"}" ] || linked="$linked $file"
  done
  # shellcheck disable=SC2086 # digests
  [ -z "$linked" ] || rm -f $linked
}

assemble() { # workdir digest size sent_bytes ops... ; a file, of ranges of files that are here and of what is sent. An op is
  # <digest, or - for what is sent>:<offset>:<offset + 1>:<length>
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  is_digest "$2" && is_size "$3" && is_size "$4" || err usage "assemble workdir digest size sent ops..." || return
  local digest="$2" size="$3" sent="$4" part="incoming/$2" fresh="incoming/$2.new" reader=cat why there sum op
  shift 4
  for op do is_op "$op" || err usage "not an op: $op" || return; done
  why=$({ cat >"$fresh"; } 2>&1) || { rm -f "$fresh" && blame "$why"; } || return
  size_of "$fresh"
  [ "$REPLY" = "$sent" ] || { rm -f "$fresh" && err short "$REPLY" "of $sent are here"; } || return
  rm -f "$part"
  why=$({ : >>"$part"; } 2>&1) && read_told "$(join "$@" 2>/dev/null | append "$part")"
  rm -f "$fresh"
  [ -z "$why" ] || { rm -f "$part" && blame "$why"; } || return
  [ "$there" = "$size" ] || { rm -f "$part" && err short "$there" "of $size could be put together"; } || return
  keep "$part" "$digest" "$sum"
}
is_op() { # -> file, offset, from, length
  local rest="${1#*:}"
  case $1 in *:*:*:*) ;; *) return 1 ;; esac
  case ${1%%:*} in -) file=$fresh ;; *) is_digest "${1%%:*}" && entry "${1%%:*}" && file=$REPLY || return ;; esac
  offset=${rest%%:*} && rest=${rest#*:} && from=${rest%%:*} && length=${rest#*:}
  is_size "$offset" && is_size "$from" && is_size "$length"
}
join() { # ops ; what goes wrong shows in the digest
  local op file offset from length
  for op do
    is_op "$op" && [ -f "$file" ] || return
    # `tail -c +N` of busybox and toybox reads everything before; toybox has nothing better.
    if command -v dd >/dev/null; then
      { dd bs=1 count=0 "skip=$offset" 2>/dev/null && head -c "$length"; } <"$file" || return
    else
      tail -c "+$from" "$file" | head -c "$length" || return
    fi
  done
}

hand() { # workdir host_key command digest... ; a file of the store is the input of a command, more are a tar archive of <aa>/<digest>.
  # Its $1 is a file with the one host key that it may meet. It ends with the channel
  id='farm-agent 1'
  put ""
  open_workdir "$1" || return
  local key="$2" command="$3" known="incoming/known.$$" digest files='' why command_pid watcher code=0
  shift 3
  for digest do
    is_digest "$digest" && is_kept "$digest" || err missing "$digest" || return
    files="$files ${REPLY#cas/}"
  done
  [ $# = 1 ] || command -v tar >/dev/null || err no-tool tar || return
  why=$({ put "$key" >"$known"; } 2>&1) || err unreached - "$why" || return
  exec 3<&0
  if [ $# = 1 ]; then
    sh -c "$command" farm "$known" <"cas/${files# }" &
  else
    # shellcheck disable=SC2086 # hexadecimal names
    tar cf - -C cas $files | sh -c "$command" farm "$known" &
  fi
  command_pid=$!
  { read -r _ || kill -9 $command_pid; } <&3 >/dev/null 2>&1 & # a builtin: nothing is left of it when it is killed
  watcher=$!
  wait $command_pid || code=$?
  kill -9 $watcher 2>/dev/null # mksh may lose any other signal while it begins
  rm -f "$known"
  [ "$code" = 0 ] || err unreached "$code"
}

case ${1-}:$# in
  serve:[23])
    whole=yes
    look $$ && agent_born=$born
    restore_all
    serve
    touch_used
    ;;
  hand:[5-9] | hand:[1-9]?* | receive:[56] | unpack:[34] | assemble:[6-9] | assemble:[1-9]?* | guard:3) "$@" ;;
  *) put "usage: farm-agent.sh serve WORKDIR" >&2 && exit 64 ;;
esac
