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
