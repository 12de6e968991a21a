"""What several adapters need: HTTP, signatures, forms, pictures, scores."""
