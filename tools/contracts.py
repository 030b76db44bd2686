"""Import rules this house adds to import-linter's own."""

from collections.abc import Iterable
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PrivateContract(Contract):
    """Some modules of a capability may be imported only from inside it, or by its service's app."""

    private = fields.SetField(subfield=fields.StringField())
    services = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  its interface
        """Find every import of a private module from outside its capability."""
        strays: list[str] = []
        services, private = (
            set(cast("Iterable[str]", names)) for names in (self.services, self.private)
        )
        for module in sorted(graph.modules):
            service, _, rest = module.partition(".")
            capability, _, name = rest.partition(".")
            if service not in services or name not in private:
                continue
            home = f"{service}.{capability}."
            strays += [
                f"{importer} imports {module}"
                for importer in sorted(graph.find_modules_that_directly_import(module))
                if not importer.startswith(home) and importer != f"{service}.app"
            ]
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each stray import."""
        for stray in check.metadata["strays"]:
            output.print_error(stray)


class CapabilityContract(Contract):
    """A folder of a service is a capability, made of the files that the house names.

    Folders that are no capability (tables, adapters to the outside) are listed as such.
    """

    files = fields.SetField(subfield=fields.StringField())
    services = fields.SetField(subfield=fields.StringField())
    not_capabilities = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  its interface
        """Find every module of a capability whose name is not one of the house's."""
        files, services, others = (
            set(cast("Iterable[str]", names))
            for names in (self.files, self.services, self.not_capabilities)
        )
        strays = []
        for module in sorted(graph.modules):
            service, _, rest = module.partition(".")
            capability, _, name = rest.partition(".")
            name = name.partition(".")[0]  # a file that grew may become a folder of its name
            if service in services and name and capability not in others and name not in files:
                strays.append(f"{module}: a capability has no '{name}'")
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each stray module."""
        for stray in check.metadata["strays"]:
            output.print_error(stray)
