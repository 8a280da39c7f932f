"""Says that there is an extension module; none has to be compiled to show what follows."""

from setuptools import Distribution, setup


class NotPure(Distribution):
    """What a project with ext_modules looks like to bdist_wheel."""

    def has_ext_modules(self):
        return True


setup(distclass=NotPure)
