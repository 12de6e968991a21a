"""What whoever runs an instance asks it. Has no tables and no pages."""
