"""Kill parts at random under load: `make test-faults`. Not part of `make test`.

servers            PostgreSQL, Redis and RabbitMQ servers of the test's own, made to be killed
processes          what runs where: starting, freezing, finding what is left
guard              ends whatever a run leaves behind, however it ends
stack              the real roles as separate processes, restarted like a service manager would
inside             the product's side: prepares the database, reads what came of it, plays a zombie
inside_providers   the same for services: sets them up, reads what they and their callbacks led to
outside            the sandbox as one more process, and a bad line from it to our door
balancer           what stands before the servers, as nginx does
load               clients that post and edit, and repeat whatever was not answered
watchers           people whose pages hold websockets
breakage           the kinds of fault, and when each strikes
sizes              how large the nightly ones are: `make chaos`, the files test_chaos_*
report             the table, and test-results/faults.json
"""
