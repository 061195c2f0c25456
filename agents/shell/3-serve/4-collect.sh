# ---- what a job left ------------------------------------------------------------------------------------

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
