"""The services that a phone offers every host it trusts, one module each, and the frames they speak in."""
