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
