"""What the layer classes of the profiles are: an operator with its settings."""


class Layer:
    """An operator with its settings, which are attributes and count as they are now, called with a map and boxes."""

    def __init__(self, **settings):
        self._names = tuple(settings)
        self.__dict__.update(settings)

    @property
    def _settings(self):
        return {name: getattr(self, name) for name in self._names}

    def __repr__(self):
        text = ", ".join(f"{key}={value!r}" for key, value in self._settings.items())
        return f"{type(self).__name__}({text})"
