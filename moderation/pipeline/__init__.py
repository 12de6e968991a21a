"""A post's way, one file a stage; then whoever objects, and what is done beside it.

The way
submit         1  accept once: check, store post, submission and audit event in one transaction
draft             what was sent, and whether it can become a post at all
idempotency       a client's key for a call, and the answer that it got
group_commit      how single submits share one transaction
edit, revision    another text, another revision, to be judged before it is trusted
dispatch       2  claim due submissions in batches under a lease; sweep what is overdue
lease             a worker's right to a submission for a while
media          3a fetch and re-encode attachments, so that providers and readers get only our copy
screen         3  ask the policy's providers, outside any transaction; keep every answer
evidence       3b answers as rows and rows as answers: what was said once counts again
jobs           3c services that answer later, and what has become of what they work on
inbox          3d what services call back with, used once
park           3e put a claim aside until a service has answered
check             say what the policy would say of a draft, without keeping anything
judge          4  apply the policy: evidence in, verdict out
enforce        5  one verdict a revision: status, effects, review item, standing, audit
statement      5b give reasons for each restriction, kept as they were issued
queueing          what an open item is found, filtered and waited for by
notify         7  hand over what the record staged for webhooks, mail, media caches and streams

People
holding        6a a moderator takes an item under a lease, keeps it, gives it back
review         6b decides it with a reason, or puts it before a lead
noting            notes beside a post, for moderators alone
reversal       6c any enforcement, a machine's or a person's, can be undone
undo           6c a moderator takes a decision back before anybody outside has heard of it
cluster           several items decided as one, each by its own decision, and taken back as one
report         6d a reader reports a post: it waits for a person, or a decision answers it
notice         6e anybody gives notice of illegal content
reported          the item in which reports wait, and the answer that each gets
reporters         who reports: trusted, warned, muted
report_mail       what whoever reported is told by mail
appeal         6f whoever is restricted objects; somebody else upholds or overturns
opinion           judged again for an appeal: kept for whoever answers it, without effect
appeal_link       what a mail's link to an appeal says, signed
appeal_mail       what whoever objected is told by mail
casework          who may take a step of these, its locks in their order, its record
folding           what a post and its author are now, as the enforcements that stand have it
standing          how far authors are trusted
sanctions         what an author may not do for a time, and what they are told then
erase             forget a person; the record still verifies

Looked at again, and known again
again             send revisions that were decided for screening once more
reevaluate        ask a recovered provider about what others judged in its place
rescan            look at old posts again
replay            judge stored evidence by another policy, without asking or changing anything
reposts           what was taken down is known when it comes again
banks             what is banked from decisions and lists; known_again puts old posts in the queue
flood, brake      an entry of a bank, a rule or a provider that suddenly fires asks a person

The record
record            every stage: append audit events, chained along their subject; stage what goes out
seal              link committed audit events into the global chain; verify it
checkpoint        sign the chain's head, so that nobody can write it anew

Whom to ask, in which order and on which terms is `moderation.asking`.
"""
