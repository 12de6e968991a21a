"""A post's way, one folder a part of it, one file a step. Each folder's `__init__` is its map.

The way
intake        1  a post comes in, or another text of one: accepted once, answered at once
dispatch      2  claim due submissions in batches, have them judged and enforced; sweep the overdue
media         3a fetch and re-encode attachments, so that providers and readers get only our copy
judging       3  ask the policy's providers, keep every answer, apply the policy
enforcement   4  one verdict a revision: status, effects, review item, statement of reasons
notify        5  hand over what the record staged for webhooks, mail, media caches and streams

People
review        a moderator takes an item, decides it, takes the decision back
reports       readers report a post, and anybody gives notice of illegal content
appeals       whoever is restricted objects; somebody else answers
casework      who may take a step of these, its locks in their order, its record
erase         forget a person; the record still verifies

Beside the way
known         what has been seen before: banks, and what was taken down
rejudging     what was decided is looked at again, and what suddenly fires is held
audit         the record, chained and signed

Whom to ask, in which order and on which terms is `moderation.asking`.
"""
