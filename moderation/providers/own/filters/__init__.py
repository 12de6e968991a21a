"""Moderators' own filters: words, expressions, links, languages and personal data.

rules.py          what a rule is, and one hit of it
checking.py       whether a rule can work, said to whoever writes it
provider.py       batch in, answers out
rule_set.py       the rules of one scope, made ready
reading.py        one text, prepared once for all rules
expressions.py    RE2, within bounds of size, memory and time
links.py          links, however they are written
endings.py        the last parts of domain names
languages.py      which language a text is in
personal_data.py  mail addresses and telephone numbers
payment.py        card numbers and IBANs
"""

from moderation.providers.own.filters.checking import check_rule
from moderation.providers.own.filters.provider import CommunityFilterProvider
from moderation.providers.own.filters.rules import Rule

__all__ = ["CommunityFilterProvider", "Rule", "check_rule"]
