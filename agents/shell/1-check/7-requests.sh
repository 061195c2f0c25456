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
