# ---- the processes of a job -----------------------------------------------------------------------------

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
