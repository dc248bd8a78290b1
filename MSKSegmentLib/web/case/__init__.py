"""What is open on this computer: results and their locks, uploads, runs, and the service that the page asks for them."""
