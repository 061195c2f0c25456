# ---- telemetry ------------------------------------------------------------------------------------------

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
    --format=csv,noheader,nounits -l 1 | while IFS= read -r reading; do
    [ "/proc/$supervisor/fd/8" -ef /proc/self/fd/8 ] || break
    clock
    put "$uptime $reading"
  done
}
