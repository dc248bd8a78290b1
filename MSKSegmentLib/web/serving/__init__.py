"""The web server: who may talk to it, which browser may change something, files to and from the page."""
