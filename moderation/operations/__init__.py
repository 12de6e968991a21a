"""Long work beside a post's way: most of it a person starts, watches and can cancel.

ledger     starts, lists, pauses, cancels; what befell an operation are audit events
progress   how far each is: a row that its steps and its watchers take turns by
rescan     looks at a community's old posts again, turn by turn
replay     judges stored verdicts by a draft, asking nobody
bank_search  looks for what is banked among old posts
bank_lists   reads and writes lists of hashes
valve      keeps a rescan behind live traffic
estimate   says before what a rescan would take
schedule   starts the rescans that policies ask for
export     writes a community's decisions as CSV
tidy       every hour, takes away what was left behind
retention  takes away what has been kept for its time, step by step
"""
