"""A post's way, one file a stage.

submit      1  accept once: check, store post, submission and audit event in one transaction
dispatch    2  claim due submissions in batches under a lease; sweep what is overdue
media       3a fetch and re-encode attachments, so that providers and readers get only our copy
screen      3  ask the policy's providers, outside any transaction; keep every answer
asking         put parts before the providers of a route, each once for a whole batch
check          say what the policy would say of a draft, without keeping anything
judge       4  apply the policy: evidence in, verdict out
enforce     5  one verdict a revision: status, effects, review item, standing, audit
review      6  a moderator takes an item, decides with a reason; any enforcement can be reversed
standing       how far authors are trusted
record         every stage: append audit events, chained along their subject
seal           link committed audit events into the global chain; verify it
group_commit   how single submits share one transaction
"""
