"""A bill of materials of an image, in CycloneDX 1.6 as JSON, checked against the schema. Pure.

The same image gives the same text: its serial number comes from the image, its time is the image's.
Needs the development requirements: `inv` itself works without them and imports nothing of this.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from autobot_ops.audit.packages import Contents, DebianPackage, PythonPackage
from autobot_ops.errors import OpsError

SOURCE_PROPERTY = "aquasecurity:trivy:SrcName"
"""The name under which other programs, too, look for the source package of a binary one."""


class InvalidBom(OpsError):
    """A bill of materials breaks the schema: a defect of ours."""


def render_bom(image: str, image_id: str, created: datetime, contents: Contents) -> str:
    """The bill of an image that `image` names. `image_id` is its digest. Raises InvalidBom."""
    name, _, tag = image.rpartition(":")
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"docker:{image_id}"))
    bom.metadata.timestamp = created
    whole = Component(name=name, version=tag, type=ComponentType.CONTAINER, bom_ref=image_id)
    bom.metadata.component = whole
    system = contents.release.get("ID", "debian"), contents.release.get("VERSION_ID", "")
    parts = [
        *(_debian(each, system) for each in contents.debian),
        *(_python(each) for each in contents.python),
    ]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(whole, parts)
    text: str = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    check_bom(text)
    return text


def check_bom(text: str) -> None:
    """Raises InvalidBom for what isn't CycloneDX 1.6."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise InvalidBom(f"the bill of materials breaks CycloneDX's schema: {str(error).splitlines()[0]}")


def _debian(package: DebianPackage, system: tuple[str, str]) -> Component:
    name, release = system
    qualifiers = {"arch": package.architecture, "distro": f"{name}-{release}" if release else name}
    url = PackageURL("deb", name, package.name, package.version, qualifiers)
    component = _component(package.name, package.version, url)
    component.properties.add(Property(name=SOURCE_PROPERTY, value=package.source))
    return component


def _python(package: PythonPackage) -> Component:
    # In a package URL the index's spelling counts: lower case, dashes.
    name = package.name.lower().replace("_", "-")
    component = _component(package.name, package.version, PackageURL("pypi", None, name, package.version))
    if package.licence:
        component.licenses.add(DisjunctiveLicense(name=package.licence))
    return component


def _component(name: str, version: str, url: PackageURL) -> Component:
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=url.to_string()
    )
