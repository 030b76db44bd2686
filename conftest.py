"""What all tests of the house share: real servers, a clock to move, tokens to call with."""

pytest_plugins = ["hazina.standard.plugin"]
