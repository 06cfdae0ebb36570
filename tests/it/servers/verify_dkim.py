"""Verifies the DKIM signature of the mail on standard input, and prints the names of the headers that it covers.

usage: verify_dkim.py NAME RECORD    the published key: where it stands in the DNS, and its text
"""

import sys

import dkim

name, record = (argument.encode() for argument in sys.argv[1:])


def look_up(asked, timeout=None):
    return record if asked.rstrip(b".") == name else None


mail = dkim.DKIM(sys.stdin.buffer.read())
if not mail.verify(dnsfunc=look_up):
    sys.exit("the signature does not hold")
for header, _ in mail.signed_headers:
    print(header.decode().lower())
