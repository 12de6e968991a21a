"""One file a service, none of which knows another. `catalogue` names them."""
