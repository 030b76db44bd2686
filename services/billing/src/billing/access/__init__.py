"""May this organisation use that, and how much is left: asked over HTTP, answered from here."""
