"""Configurations for OpenSSH's client, as people write them: a table for test_ssh_config.py.

`{home}` is the home folder. Includes and `Match exec` see it as $HOME.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """`expected` are facts that are known without asking ssh, so that the same mistake on both sides is seen."""

    name: str
    config: str | bytes
    expected: Mapping[str, Any] = field(default_factory=dict)
    host: str = "board"
    user: str | None = None
    port: int | None = None
    proxy_jump: str | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """`line` is that of the mistake in ~/.ssh/config, or in the file of `files` that is named `where`."""

    name: str
    config: str | bytes
    line: int
    says: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    where: str = "config"


CASES = (
    # Which host, port and user.
    Case("nothing", "", {"hostname": "board", "port": 22}),
    Case("an alias", "Host board\n HostName 10.0.0.7\n Port 2222\n User me\n",
         {"hostname": "10.0.0.7", "port": 2222, "user": "me"}),
    Case("a comment after a value", "Host board # the new one\n HostName 10.0.0.7 # in the rack\n",
         {"hostname": "10.0.0.7"}),
    Case("a comment after a number", "Host board\n Port 2222 # forwarded\n", {"port": 2222}),
    Case("a number sign within a word", "Host board\n User a#b\n", {"user": "a#b"}),
    Case("a number sign in quotes", 'Host board\n IdentityFile "/k/a #b"\n', {"identityfile": ["/k/a #b"]}),
    Case("a comment with an apostrophe", "# don't\nHost board\n Port 3 # it's here\n", {"port": 3}),
    Case("an equals sign", "Host=board\n HostName=10.0.0.7\n Port = 2222\n", {"hostname": "10.0.0.7", "port": 2222}),
    Case("an equals sign in a value", "Host board\n User=a=b\n", {"user": "a=b"}),
    Case("keywords in capitals", "HOST board\n HOSTNAME 10.0.0.7\n pOrT 4\n", {"hostname": "10.0.0.7", "port": 4}),
    Case("tabs and carriage returns", "Host board\r\n\tHostName\t10.0.0.7\t\r\n\tPort 5\r\n",
         {"hostname": "10.0.0.7", "port": 5}),
    Case("no line break at the end", "Host board\n Port 6", {"port": 6}),
    Case("quoted values", 'Host "board"\n HostName "10.0.0.7"\n User "me"\n', {"hostname": "10.0.0.7", "user": "me"}),
    Case("a quoted keyword", '"Port" 7\n', {"port": 7}),
    Case("the first value counts", "Host board\n Port 8\nHost *\n Port 9\n User all\n", {"port": 8, "user": "all"}),
    Case("settings before any host", "Port 10\nHost board\n Port 11\n", {"port": 10}),
    Case("several patterns", "Host other b?ard\n Port 12\n", {"port": 12}),
    Case("a pattern that excludes", "Host * !board\n Port 13\nHost *\n Port 14\n", {"port": 14}),
    Case("a pattern that excludes another", "Host * !other\n Port 13\n", {"port": 13}),
    Case("capitals in the host", "Host Board\n Port 15\nHost board\n Port 16\n", {"port": 15}, host="Board"),
    Case("a host name from the alias", "Host board*\n HostName %h.lab\n", {"hostname": "board-7.lab"}, host="board-7"),
    Case("a percent sign in a host name", "Host board\n HostName x%%y\n", {"hostname": "x%y"}),
    Case("an address of IPv6", "Host board\n HostName fe80::1%%eth0\n", {"hostname": "fe80::1%eth0"}),
    Case("an address of IPv6 as host", "Host ::1\n Port 17\n", {"hostname": "::1", "port": 17}, host="::1"),
    Case("what the inventory says", "Host board\n Port 18\n User me\n", {"port": 19, "user": "you"},
         user="you", port=19),
    Case("spaces around", "   Host    board   \n      Port     20     \n", {"port": 20}),
    Case("unknown keywords that are to be ignored", "IgnoreUnknown Use*,Add*\nUseKeychain yes\nHost board\n Port 21\n",
         {"port": 21}),
    Case("keywords that are no longer supported", "Host board\n Protocol 2\n Cipher blowfish\n Port 23\n", {"port": 23}),
    # Match.
    Case("match all", "Match all\n Port 30\n", {"port": 30}),
    Case("match host by the real name", "Host board\n HostName b.lab\nMatch host *.lab\n Port 31\n", {"port": 31}),
    Case("match the original host", "Host board\n HostName b.lab\nMatch originalhost board\n Port 32\n", {"port": 32}),
    Case("match a user of the inventory", "Match user root,bench\n Port 33\n", {"port": 33}, user="bench"),
    Case("match a user of the configuration", "User bench\nMatch user bench\n Port 34\n", {"port": 34}),
    Case("match not", "Match !host other\n Port 35\nMatch !host board\n User x\n", {"port": 35}),
    Case("match the local user", "Match localuser nobody-here\n Port 36\n", {"port": 22}),
    Case("match exec that succeeds", "Match exec \"test -d '{home}'\"\n Port 37\n", {"port": 37}),
    Case("match exec that fails", 'Match exec "false"\n Port 38\n', {"port": 22}),
    Case("match exec with tokens", 'Match exec "test %h-%p-%n = board-22-board"\n Port 39\n', {"port": 39}),
    Case("match exec of the shell", 'Match host board exec "echo a | grep -q a && [ 1 = 1 ]"\n Port 40\n', {"port": 40}),
    Case("match exec that writes", 'Match exec "echo hostname evil; echo x line 1: y >&2"\n Port 41\n',
         {"port": 41, "hostname": "board"}),
    Case("match exec and a comment", "Match exec true # always\n Port 42\n", {"port": 42}),
    Case("match exec not", 'Match host board !exec "false"\n Port 43\n', {"port": 43}),
    Case("match final", "Match final\n Port 44\nHost board\n User me\n", {"port": 44, "user": "me"}),
    Case("match final by the real name", "Match final host b.lab\n Port 45\nHost board\n HostName b.lab\n", {"port": 45}),
    Case("match canonical", "Match canonical all\n Port 46\n", {"port": 22}),
    # Include.
    Case("an included file", "Include more\n", {"port": 50}, files={"more": "Host board\n Port 50\n"}),
    Case("several files by a pattern", "Include conf.d/*.conf\n", {"port": 51, "user": "me"},
         files={"conf.d/1.conf": "Host board\n Port 51\n", "conf.d/2.conf": "Port 52\nUser me\n", "conf.d/x": "Port 1\n"}),
    Case("an included file under another host", "Host other\n Include more\nHost board\n User me\n",
         {"port": 22, "user": "me"}, files={"more": "Port 53\n"}),
    Case("after an included file the host goes on", "Host other\n Include more\n Port 54\n", {"port": 22},
         files={"more": "Host x\n User y\n"}),
    Case("after an included file the host still counts", "Host board\n Include more\n Port 54\n", {"port": 54},
         files={"more": "Host x\n User y\n"}),
    Case("an included file in another", "Include a\n", {"port": 55}, files={"a": "Include b\n", "b": "Port 55\n"}),
    Case("an included file that is missing", "Include gone\nInclude no/*\nPort 56\n", {"port": 56}),
    Case("an included file by its full path", 'Include "{home}/.ssh/x y"\n', {"port": 57}, files={"x y": "Port 57\n"}),
    Case("an included folder", "Include conf.d\nPort 58\n", {"port": 58}, files={"conf.d/x": "Port 1\n"}),
    # Identities.
    Case("identities in order", "Host board\n IdentityFile ~/.ssh/a\n IdentityFile /k/b\nHost *\n IdentityFile /k/c\n",
         {"identityfile": ["{home}/.ssh/a", "/k/b", "/k/c"]}),
    Case("an identity with a space", 'IdentityFile "/my keys/a b" # mine\n', {"identityfile": ["/my keys/a b"]}),
    Case("an identity with tokens", "User me\nHost board\n HostName b.lab\n Port 7\n IdentityFile /k/%h-%n-%p-%r-%%x\n",
         {"identityfile": ["/k/b.lab-board-7-me-%x"]}),
    Case("an identity under the home folder by its token", "IdentityFile %d/k\n"),
    Case("an identity by all that is hashed", "IdentityFile /k/%C-%l-%L-%u-%i\n"),
    Case("an identity by a variable", "IdentityFile ${KEYS}/a\n", {"identityfile": ["/secret/a"]},
         environment={"KEYS": "/secret"}),
    Case("no identity", "IdentityFile none\n", {"identityfile": []}),
    Case("only these identities", "IdentitiesOnly yes\nIdentityFile /k/a\n", {"identitiesonly": True}),
    Case("an identity whose name is Latin-1", b"Host board\n IdentityFile /k/caf\xe9\n Port 60\n",
         {"port": 60, "identityfile": ["/k/caf\udce9"]}),
    Case("comments in Latin-1 and in UTF-8", b"# M\xfcller\nHost board # caf\xc3\xa9\n Port 61\n", {"port": 61}),
    Case("a name in UTF-8", "Host board\n IdentityFile /k/schlüssel\n", {"identityfile": ["/k/schlüssel"]}),
    Case("a certificate", "CertificateFile ~/.ssh/none-cert.pub\nIdentityFile /k/a\n", {"identityfile": ["/k/a"]}),
    # Jump hosts and proxies.
    Case("a jump host", "Host board\n ProxyJump me@gw.lab:2200\n", {"route": ["me@gw.lab:2200", "board"]}),
    Case("two jump hosts", "Host board\n ProxyJump a.lab,me@b.lab\n", {"route": ["a.lab", "me@b.lab", "board"]}),
    Case("a jump host by IPv6", "Host board\n ProxyJump me@[::1]:2200\n", {"route": ["me@[::1]:2200", "board"]}),
    Case("a jump host by IPv6 without port", "Host board\n ProxyJump [fe80::2]\n", {"route": ["[fe80::2]", "board"]}),
    Case("a jump host by address of SSH", "Host board\n ProxyJump ssh://me@gw.lab:2200\n",
         {"route": ["me@gw.lab:2200", "board"]}),
    Case("no jump host", "Host board\n ProxyJump none\nHost *\n ProxyJump gw\n", {"route": ["board"]}),
    Case("a jump host that has one", "Host board\n ProxyJump in\nHost in\n ProxyJump out\n Port 66\n",
         {"route": ["out", "in:66", "board"]}),
    Case("a jump host by the alias", "Host board\n HostName b\n ProxyJump gw-%n\n", {"route": ["gw-board", "b"]}),
    Case("a jump host and a comment", "Host board\n ProxyJump gw.lab # the gate\n", {"route": ["gw.lab", "board"]}),
    Case("a jump host before a proxy", "Host board\n ProxyJump gw\n ProxyCommand nc %h %p\n", {"route": ["gw", "board"]}),
    Case("a proxy before a jump host", "Host board\n ProxyCommand nc %h %p\n ProxyJump gw\n",
         {"route": ["board"], "proxycommand": "nc board 22"}),
    Case("a proxy with pipes and quotes", "Host board\n HostName b\n ProxyCommand a 'x  y' \"%h\" | b >&2; c %%\n",
         {"proxycommand": "a 'x  y' \"b\" | b >&2; c %"}),
    Case("no proxy", "Host board\n ProxyCommand none\nHost *\n ProxyCommand nc %h %p\n", {"proxycommand": None}),
    Case("no jump host by the inventory", "Host board\n ProxyJump gw\n", {"route": ["board"]}, proxy_jump="none"),
    Case("a jump host of the inventory", "Host board\n ProxyJump gw\n ProxyCommand x\nHost b\n Port 3\n",
         {"route": ["b:3", "board"]}, proxy_jump="b"),
    # Known hosts.
    Case("an alias of the host key", "HostKeyAlias rack-7\n", {"hostkeyalias": "rack-7"}),
    Case("files of known hosts", "UserKnownHostsFile /k/a /k/b\nGlobalKnownHostsFile /k/c\n",
         {"knownhosts": ["/k/a", "/k/b", "/k/c"]}),
    Case("files of known hosts with spaces", 'UserKnownHostsFile "{home}/.ssh/a b" /k/c\nGlobalKnownHostsFile /k/d\n',
         {"knownhosts": ["{home}/.ssh/a b", "/k/c", "/k/d"]}, files={"a b": ""}),
    Case("files of known hosts with tokens", "UserKnownHostsFile /k/%h-%%-${KEYS}\nGlobalKnownHostsFile /k/d\n",
         {"knownhosts": ["/k/board-%-x", "/k/d"]},
         environment={"KEYS": "x"}),
    Case("no files of known hosts", "UserKnownHostsFile none\nGlobalKnownHostsFile /dev/null\n",
         {"knownhosts": ["/dev/null"]}),
    # Limits and algorithms.
    Case("a limit in seconds", "ConnectTimeout 5\n", {"connecttimeout": 5}),
    Case("a limit in minutes", "ConnectTimeout 1m\n", {"connecttimeout": 60}),
    Case("a limit in mixed units", "ConnectTimeout 1h30m5 # long\n", {"connecttimeout": 5405}),
    Case("no limit", "ConnectTimeout none\n", {"connecttimeout": None}),
    Case("no limit, and one for all hosts", "Host board\n ConnectTimeout none\nHost *\n ConnectTimeout 7\n"),
    Case("ciphers", "Ciphers aes256-ctr,aes128-ctr\n", {"ciphers": ["aes256-ctr", "aes128-ctr"]}),
    Case("a cipher first", "Ciphers ^aes192-ctr\n"),
    Case("ciphers without some", "Ciphers -aes*\n", {"ciphers": ["chacha20-poly1305@openssh.com"]}),
    Case("ciphers and more", "Ciphers +aes128-cbc\n"),
    Case("ciphers by the first line", "Ciphers aes256-ctr\nCiphers aes128-ctr\n", {"ciphers": ["aes256-ctr"]}),
    Case("what else people write", "Host *\n ServerAliveInterval 5m\n ControlMaster auto\n ControlPath ~/.ssh/%C\n"
         " ControlPersist 10m\n AddKeysToAgent yes\n ForwardAgent yes\n LogLevel ERROR\n StrictHostKeyChecking accept-new\n"
         " LocalForward 8080 localhost:80\n SendEnv LANG LC_*\n RekeyLimit 1G 1h\n IPQoS lowdelay\n Compression yes\n"
         " RequestTTY force\n RemoteCommand tmux\n PermitLocalCommand yes\n LocalCommand echo hi\n", {"port": 22}),
)  # fmt: skip

REFUSED_BY_OPENSSH = (
    Refused("an unknown keyword", "Host board\n Prot 22\n", 2, "Prot"),
    Refused("a port that is no number", "Host board\n\n Port seventy\n", 3),
    Refused("two values where one belongs", "Host board\n User a b\n", 2),
    Refused("quotes that do not end", 'Host board\n User "a\n', 2),
    Refused("a keyword without value", "Host board\n HostName\n", 2),
    Refused("match without condition", "Port 1\nMatch\n", 2),
    Refused("match of something unknown", "Match nonsense x\n", 1),
    Refused("a time of no unit", "ConnectTimeout 5 minutes\n", 1),
    Refused("a jump host that is none", "Host board\n ProxyJump ssh://\n", 2),
    Refused("a cipher that nobody knows", "Ciphers rot13\n", 1),
    Refused("a choice of something else", "AddressFamily ipx\n", 1),
    Refused(
        "a mistake in an included file",
        "# first\nInclude more\n",
        2,
        files={"more": "#\nPrt 1\n"},
        where="more",
    ),
    Refused("a mistake and a loud command", 'Match exec "echo sh: line 9: no >&2"\nFoo x\n', 2, "foo"),
    Refused("an unknown token", "Port 1\nIdentityFile /k/%z\n", 2, "%z"),
    Refused("an unknown token in known hosts", "Port 1\nUserKnownHostsFile /k/%z\n", 2, "%z"),
)

REFUSED_BY_FARM = (
    # A socket that another program has connected: asyncssh has no way to take it from there.
    Refused("a proxy that passes a socket", "Host board\n ProxyCommand x\n ProxyUseFdpass yes\n", 3, "ProxyUseFdpass"),
    # asyncssh binds to addresses alone.
    Refused("an interface to bind to", "Host board\n BindInterface lo\n", 2, "BindAddress"),
    # It would be less careful to ignore it; OpenSSH's binary lists of revoked keys are not read here.
    Refused("a list of revoked keys", "RevokedHostKeys /k/revoked\n", 1, "@revoked"),
    # OpenSSH takes it as a name and finds no such host; its users mean an address.
    Refused("an address in brackets", "Host board\n HostName [::1]\n", 2, "without"),
    # OpenSSH refuses it when it connects, without a line.
    Refused("a variable that is not there", "#\nIdentityFile ${NOT_THERE}/a\n", 2, "variable"),
)  # fmt: skip
