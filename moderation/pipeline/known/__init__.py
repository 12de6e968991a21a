"""What has been seen before: banks of what was decided, and what was taken down.

banks    what is banked from decisions and lists
reposts  what was taken down is known when it comes again
"""
