"""What the framework's description of the interface would leave out, said once for all rooms."""

from typing import Any

from litestar.config.app import AppConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Schema
from litestar.plugins import InitPlugin, OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import Struct

from backend.access.guard import Requires

SECURITY_SCHEME = "dpop"


class Description(InitPlugin, OpenAPISchemaPlugin):
    """Says which token an operation asks for, and that a body takes no other members.

    Both are known already, by the guard and by the struct: whoever writes a handler can't forget
    to say it, nor say something else.
    """

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Put each guard's scope into the description of its operation."""
        for handler in app_config.route_handlers:
            if isinstance(handler, HTTPRouteHandler):
                scopes = [g.scope for g in handler.guards or () if isinstance(g, Requires)]
                handler.security = [{SECURITY_SCHEME: [str(scope)]} for scope in scopes] or None
        return app_config

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Take structs that forbid unknown fields."""
        if field_definition.is_union or not field_definition.is_subclass_of(Struct):
            return False
        kind: type[Struct] = field_definition.annotation
        return kind.__struct_config__.forbid_unknown_fields

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Return the struct's schema as the framework makes it, closed to other members."""
        usual = next(
            plugin
            for plugin in schema_creator.plugins
            if plugin is not self and plugin.is_plugin_supported_field(field_definition)
        )
        schema: Schema = usual.to_openapi_schema(field_definition, schema_creator)
        schema.additional_properties = False
        return schema
