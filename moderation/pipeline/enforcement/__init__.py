"""What a verdict does: to the post, to its author, and on record.

enforce    one verdict a revision: status, effects, review item, standing, audit
statement  give reasons for each restriction, kept as they were issued
queueing   what an open item is found, filtered and waited for by
folding    what a post and its author are now, as the enforcements that stand have it
standing   how far authors are trusted
sanctions  what an author may not do for a time, and what they are told then
"""
