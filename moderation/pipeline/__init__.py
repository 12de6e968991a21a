"""A post's way, one file a stage.

submit      1  accept once: check, store post, submission and audit event in one transaction
dispatch    2  claim due submissions in batches under a lease; sweep what is overdue
media       3a fetch and re-encode attachments, so that providers and readers get only our copy
screen      3  ask the policy's providers, outside any transaction; keep every answer
evidence    3b answers as rows and rows as answers: what was said once counts again
jobs        3c services that answer later, and what has become of what they work on
inbox       3d what services call back with, used once
park        3e put a claim aside until a service has answered
check          say what the policy would say of a draft, without keeping anything
judge       4  apply the policy: evidence in, verdict out
enforce     5  one verdict a revision: status, effects, review item, standing, audit
reposts     5a remember what was taken down, so that it is known when it comes again
review      6  a moderator takes an item, decides with a reason; any enforcement can be reversed
notify      7  hand over what the record staged for webhooks, authors' mail and media caches
again          send revisions that were decided for screening once more
reevaluate     ask a recovered provider about what others judged in its place
rescan         look at old posts again
standing       how far authors are trusted
record         every stage: append audit events, chained along their subject; stage what goes out
seal           link committed audit events into the global chain; verify it
group_commit   how single submits share one transaction

Whom to ask, in which order and on which terms is `moderation.asking`.
"""
