"""The embedded role: the whole product on one machine, from one command.

```
__main__       puts the pieces together: what `make run` starts
redis_server   which Redis-compatible server serves this data folder
prepare        migrates, seeds and collects static files, once
roles          what each child process runs
supervisor     starts children, restarts the dead, stops all
screen         what people see while it runs
```

Everything below is the code that production runs; only how it is started differs.
"""
