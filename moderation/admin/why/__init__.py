"""Why a post, or an attachment of it, is visible or not: one answer, and the whole way to it.

reading      everything that is read about a post, bounded
answer       what readers see, why, since when, what it waits for, what would change it
attachments  the same about an attachment, and what caches may still hold
way          all that happened, with times
explain      the page's content
"""
