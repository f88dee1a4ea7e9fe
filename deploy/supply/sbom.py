"""Write the bill of materials (CycloneDX 1.6, JSON) and the notices of others' licences (R8.8, ADR 34).

    python deploy/supply/sbom.py [FOLDER]        # build/ below the repository

From the locks, with the hashes of every file that may be installed; licences and who needs whom come from what is
installed. Tools and tests are in it too, with the scope "excluded". The bill is validated before it is written.
"""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from locked import ROOT, Bundled, Package, from_npm, locked
from notices import notices
from packageurl import PackageURL

BANK = "alder-bank"


def bill(packages: list[Package]) -> Bom:
    """Return the bill: the bank, which asks for all that it runs with, and under each package what it needs and
    carries."""
    bom = Bom()
    bank = bom.metadata.component = Component(name=BANK, type=ComponentType.APPLICATION, bom_ref=BANK)
    components = {package.name: _component(package) for package in packages}
    bom.components = [*components.values(), *_of_npm()]
    bom.register_dependency(bank, [components[package.name] for package in packages if package.runs])
    for package in packages:
        needed = [components[name] for name in sorted(set(package.needs())) if name in components]
        bom.register_dependency(components[package.name], needed)
    return bom


def as_json(bom: Bom) -> str:
    """Return it as it is written.

    Raises:
        ValueError: the library's own validator refuses it.
    """
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not CycloneDX: {fault}")
    return text


def _component(package: Package) -> Component:
    address = PackageURL("pypi", name=package.name, version=package.version)
    licences = [LicenseFactory().make_from_string(package.licence)] if package.licence else []
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in package.sha256]
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=address.to_string(),
        purl=address,
        scope=ComponentScope.REQUIRED if package.runs else ComponentScope.EXCLUDED,
        licenses=licences,
        external_references=[_files(address, hashes)],
        components=[_carried(one, within=address) for one in package.bundled],
    )


def _carried(one: Bundled, *, within: PackageURL) -> Component:
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{within.to_string()}#{one.file}",
        licenses=[LicenseFactory().make_from_string(one.licence.name)],
        copyright=one.licence.holder,
    )


def _of_npm() -> Iterator[Component]:
    for name, one in from_npm().items():
        address = PackageURL("npm", name=name, version=one["version"])
        sha512 = base64.b64decode(one["integrity"].removeprefix("sha512-")).hex()
        yield Component(
            name=name,
            version=one["version"],
            type=ComponentType.LIBRARY,
            bom_ref=address.to_string(),
            purl=address,
            scope=ComponentScope.EXCLUDED,
            licenses=[LicenseFactory().make_from_string(one["license"])],
            external_references=[_files(address, [HashType(alg=HashAlgorithm.SHA_512, content=sha512)])],
        )


def _files(address: PackageURL, hashes: list[HashType]) -> ExternalReference:
    return ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(address.to_string()), hashes=hashes)


def main(folder: Path) -> None:
    packages = locked()
    texts = {"sbom.cdx.json": as_json(bill(packages)), "THIRD-PARTY-NOTICES.txt": notices(packages)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build")
