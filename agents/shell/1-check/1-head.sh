#!/bin/sh
# The agent: what the farm keeps on a device. Speaks the line protocol of docs/agent-protocol.md (version 1).
#
# It is one script there, `cat agents/shell/*/*.sh`, of which a shell takes in as much as it needs, from its beginning:
# 1-check what `farm devices check` asks for, 2-supervise what a job needs beside that, 3-serve the rest.
#
#   sh AGENT serve WORKDIR [SELF]              answers requests on stdin until it ends; SELF: this file, for a shell
#                                              that reads it with `.`
#   sh AGENT receive WORKDIR DIGEST OFFSET SIZE [gzip]    appends stdin to a partial upload
#   sh AGENT unpack WORKDIR COUNT [gzip]       keeps the small files of a tar archive on stdin
#   sh AGENT assemble WORKDIR DIGEST SIZE SENT OPS...     makes a file of parts of others and of stdin
#   sh AGENT hand WORKDIR HOST_KEY COMMAND DIGEST...      gives files of the store to a command
#   sh AGENT supervise WORKDIR JOB FORKS NUMBERS    runs one job to its end (started by `start`)
#   sh AGENT guard WORKDIR EPOCH               restores settings when their lease has ended (started by `set`)
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
