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
