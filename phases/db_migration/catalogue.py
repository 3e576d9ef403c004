# ruff: noqa: S608 - every part of these queries is a constant of this module
"""What a database is made of beside its rows: each group as a mapping of a thing's name to its definition.

Queries run with an empty search_path, so that every name in a definition is qualified. Owners are shown as
`<owner>`: a restore gives everything to one role. Members of extensions are left out, the extensions stay.
"""

from __future__ import annotations

from migrator.contracts.postgres import Session, Tick, literal

Catalogue = dict[str, dict[str, str]]
"""Group to name to definition."""

_USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _own(catalog: str, oid: str) -> str:
    return (
        f"NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '{catalog}'::regclass "
        f"AND x.objid = {oid} AND x.deptype = 'e')"
    )


def _grants(kind: str, name: str, source: str, acl: str, default: str, owner: str) -> str:
    """Privileges of one kind of object, one row an object and grantee."""
    return f"""
SELECT '{kind} ' || ({name}) || ' to ' || CASE WHEN a.grantee = {owner} THEN '<owner>' WHEN a.grantee = 0
         THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
       string_agg(a.privilege_type || CASE WHEN a.is_grantable AND a.grantee <> {owner} THEN '*' ELSE '' END,
                  ' ' ORDER BY a.privilege_type)
FROM {source}, LATERAL aclexplode(coalesce({acl}, {default})) a
WHERE {{where}} GROUP BY ({name}), {owner}, a.grantee"""


_TABLES = f"""
SELECT format('%I.%I', n.nspname, c.relname),
       concat_ws(' ', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
         WHEN 'm' THEN 'materialised view' WHEN 'f' THEN 'foreign table' ELSE c.relkind::text END,
         'persistence=' || c.relpersistence::text, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
         array_to_string(ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), ','),
         CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
         'replica identity=' || c.relreplident::text,
         (SELECT 'inherits ' || string_agg(format('%I.%I', pn.nspname, p.relname), ',' ORDER BY i.inhseqno)
          FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
          WHERE i.inhrelid = c.oid),
         CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'not populated' END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_USER_SCHEMA} AND {_own("pg_class", "c.oid")}"""

_COLUMNS = f"""
SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname),
       concat_ws(' ', row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid),
         'identity=' || nullif(a.attidentity::text, ''), 'generated=' || nullif(a.attgenerated::text, ''),
         'storage=' || a.attstorage::text, 'compression=' || nullif(a.attcompression::text, ''),
         'statistics=' || nullif(coalesce(a.attstattarget, -1), -1),
         CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
           THEN 'collate ' || a.attcollation::regcollation::text END)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND {_USER_SCHEMA} AND {_own("pg_class", "c.oid")}"""

_CONSTRAINTS = f"""
SELECT format('%I.%I on %s', n.nspname, k.conname,
              CASE WHEN k.conrelid <> 0 THEN k.conrelid::regclass::text ELSE k.contypid::regtype::text END),
       pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' [not validated]' END
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE {_USER_SCHEMA} AND {_own("pg_constraint", "k.oid")} AND {_own("pg_class", "k.conrelid")}"""

_INDEXES = f"""
SELECT format('%I.%I', n.nspname, c.relname),
       pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' [invalid]' END
         || CASE WHEN i.indisclustered THEN ' [clustered]' ELSE '' END
         || CASE WHEN i.indisreplident THEN ' [replica identity]' ELSE '' END
         || CASE WHEN i.indimmediate THEN '' ELSE ' [deferrable]' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER_SCHEMA} AND {_own("pg_class", "i.indrelid")}"""

_TRIGGERS = f"""
SELECT format('%I on %s', t.tgname, t.tgrelid::regclass), pg_get_triggerdef(t.oid) || ' enabled=' || t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND {_USER_SCHEMA} AND {_own("pg_trigger", "t.oid")}
UNION ALL
SELECT format('constraint triggers on %s', t.tgrelid::regclass),
       string_agg(DISTINCT t.tgenabled::text, ',' ORDER BY t.tgenabled::text)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgisinternal AND {_USER_SCHEMA} GROUP BY t.tgrelid"""

_FUNCTIONS = f"""
SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggtranstype::regtype,
              a.agginitval, a.aggkind, a.aggsortop::regoper) FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
            ELSE pg_get_functiondef(p.oid) END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {_USER_SCHEMA} AND {_own("pg_proc", "p.oid")}"""

_VIEWS = f"""
SELECT format('%I.%I', n.nspname, c.relname), pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND {_USER_SCHEMA} AND {_own("pg_class", "c.oid")}
UNION ALL
SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass),
       pg_get_ruledef(r.oid) || ' enabled=' || r.ev_enabled::text
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {_USER_SCHEMA} AND {_own("pg_class", "c.oid")}"""

_TYPES = f"""
SELECT format('%I.%I', n.nspname, t.typname),
       CASE t.typtype
         WHEN 'e' THEN 'enum ' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                   FROM pg_enum e WHERE e.enumtypid = t.oid)
         WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                                 CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
                                 nullif(t.typcollation, 0)::regcollation)
         WHEN 'r' THEN (SELECT concat_ws(' ', 'range', format_type(r.rngsubtype, NULL), nullif(r.rngcanonical, 0),
                          nullif(r.rngsubdiff, 0)) FROM pg_range r WHERE r.rngtypid = t.oid)
         ELSE 'composite' END
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
  AND {_USER_SCHEMA} AND {_own("pg_type", "t.oid")}"""

_SEQUENCES = f"""
SELECT format('%I.%I', n.nspname, c.relname),
       concat_ws(' ', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin,
         'to', s.seqmax, 'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END,
         (SELECT 'owned by ' || d.refobjid::regclass || '.' || quote_ident(a.attname) FROM pg_depend d
          JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            AND d.refobjsubid > 0))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER_SCHEMA} AND {_own("pg_class", "c.oid")}"""

_SCHEMAS = f"""
SELECT quote_ident(n.nspname), 'schema' FROM pg_namespace n
WHERE {_USER_SCHEMA} AND {_own("pg_namespace", "n.oid")}"""

_EXTENSIONS = """
SELECT quote_ident(e.extname), 'in schema ' || quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"""

_POLICIES = """
SELECT format('%I on %I.%I', policyname, schemaname, tablename),
       concat_ws(' ', permissive, cmd, 'to', array_to_string(roles, ','), 'using', qual, 'check', with_check)
FROM pg_policies"""

_COMMENTS = f"""
SELECT i.type || ' ' || i.identity, d.description
FROM pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
WHERE (d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass AND i.identity = 'public'))
  AND d.classoid NOT IN ('pg_extension'::regclass, 'pg_event_trigger'::regclass, 'pg_publication'::regclass,
                         'pg_subscription'::regclass)
  AND {_own("d.classoid", "d.objoid").replace("'d.classoid'::regclass", "d.classoid")}"""

_STATISTICS = f"""
SELECT format('%I.%I', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {_USER_SCHEMA}"""

_OTHER_CATALOGS = (
    "pg_collation",
    "pg_operator",
    "pg_opclass",
    "pg_opfamily",
    "pg_cast",
    "pg_conversion",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_transform",
)

_OTHERS = " UNION ALL ".join(
    f"SELECT i.type || ' ' || i.identity, 'present' FROM {catalog} o, "
    f"LATERAL pg_identify_object('{catalog}'::regclass, o.oid, 0) i "
    f"WHERE o.oid >= 16384 AND {_own(catalog, 'o.oid')}"
    for catalog in _OTHER_CATALOGS
)

_DATABASE = """
SELECT 'encoding', pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'collate', datcollate FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'ctype', datctype FROM pg_database WHERE datname = current_database()"""

# The write fence sets default_transaction_read_only on the source; it is no part of what is moved.
_SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN 'all roles' ELSE s.setrole::regrole::text END || ': ' || split_part(c, '=', 1),
       substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s, LATERAL unnest(s.setconfig) c
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND NOT (s.setrole = 0 AND c LIKE 'default_transaction_read_only=%')"""

_RELATION = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_RELATION_NAME = "format('%I.%I', n.nspname, c.relname)"
_OWN_RELATION = f"{_USER_SCHEMA} AND {_own('pg_class', 'c.oid')}"

_GRANTS = " UNION ALL ".join(
    (
        _grants(
            "table", _RELATION_NAME, _RELATION, "c.relacl", "acldefault('r', c.relowner)", "c.relowner"
        ).format(where=f"c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_OWN_RELATION}"),
        _grants(
            "sequence", _RELATION_NAME, _RELATION, "c.relacl", "acldefault('s', c.relowner)", "c.relowner"
        ).format(where=f"c.relkind = 'S' AND {_OWN_RELATION}"),
        _grants(
            "column",
            "format('%I.%I.%I', n.nspname, c.relname, t.attname)",
            f"{_RELATION} JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped",
            "t.attacl",
            "acldefault('c', c.relowner)",
            "c.relowner",
        ).format(where=f"t.attacl IS NOT NULL AND {_OWN_RELATION}"),
        _grants(
            "function",
            "format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))",
            "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace",
            "p.proacl",
            "acldefault('f', p.proowner)",
            "p.proowner",
        ).format(where=f"{_USER_SCHEMA} AND {_own('pg_proc', 'p.oid')}"),
        _grants(
            "type",
            "format('%I.%I', n.nspname, t.typname)",
            "pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid",
            "t.typacl",
            "acldefault('T', t.typowner)",
            "t.typowner",
        ).format(
            where="(t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) "
            f"AND {_USER_SCHEMA} AND {_own('pg_type', 't.oid')}"
        ),
        _grants(
            "schema",
            "quote_ident(n.nspname)",
            "pg_namespace n",
            "n.nspacl",
            "acldefault('n', n.nspowner)",
            "n.nspowner",
        ).format(where=f"{_USER_SCHEMA} AND {_own('pg_namespace', 'n.oid')}"),
        _grants(
            "large object",
            "l.oid::text",
            "pg_largeobject_metadata l",
            "l.lomacl",
            "acldefault('L', l.lomowner)",
            "l.lomowner",
        ).format(where="true"),
        _grants(
            "database",
            "left(b.datname, 0) || 'itself'",
            "pg_database b",
            "b.datacl",
            "acldefault('d', b.datdba)",
            "b.datdba",
        ).format(where="b.datname = current_database()"),
    )
)

_DEFAULT_PRIVILEGES = """
SELECT concat_ws(' ', CASE WHEN d.defaclrole = b.datdba THEN '<owner>' ELSE d.defaclrole::regrole::text END,
                 'in ' || n.nspname, 'on', d.defaclobjtype, 'to',
                 CASE WHEN a.grantee = d.defaclrole THEN '<owner>' WHEN a.grantee = 0 THEN 'PUBLIC'
                      ELSE a.grantee::regrole::text END),
       string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ' ' ORDER BY a.privilege_type)
FROM pg_default_acl d JOIN pg_database b ON b.datname = current_database()
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, LATERAL aclexplode(d.defaclacl) a
GROUP BY d.defaclrole, b.datdba, n.nspname, d.defaclobjtype, a.grantee"""

GROUPS = {
    "schemas": _SCHEMAS,
    "tables": _TABLES,
    "columns": _COLUMNS,
    "constraints": _CONSTRAINTS,
    "indexes": _INDEXES,
    "triggers": _TRIGGERS,
    "functions": _FUNCTIONS,
    "views": _VIEWS,
    "types": _TYPES,
    "sequences": _SEQUENCES,
    "extensions": _EXTENSIONS,
    "policies": _POLICIES,
    "comments": _COMMENTS,
    "extended statistics": _STATISTICS,
    "other objects": _OTHERS,
    "encoding and collation": _DATABASE,
    "database settings": _SETTINGS,
    "grants": _GRANTS,
    "default privileges": _DEFAULT_PRIVILEGES,
}


def read_catalogue(session: Session, application_role: str = "", tick: Tick | None = None) -> Catalogue:
    """Every group of the database that the session is connected to."""
    catalogue = {
        group: {str(name): str(definition) for name, definition in session.query(statement, tick=tick)}
        for group, statement in GROUPS.items()
    }
    catalogue["roles"] = _roles(session, catalogue)
    if application_role:
        catalogue["application rights"] = _application_rights(session, application_role)
    return catalogue


def grantees(catalogue: Catalogue) -> set[str]:
    """Roles that privileges or policies name, as SQL identifiers; a restore needs them."""
    names = {
        name.rpartition(" to ")[2]
        for group in ("grants", "default privileges")
        for name in catalogue.get(group, {})
    }
    return names - {"<owner>", "PUBLIC"}


def _roles(session: Session, catalogue: Catalogue) -> dict[str, str]:
    """Attributes of the roles that privileges name; not LOGIN, which the write fence takes away."""
    names = grantees(catalogue)
    rows = session.query(
        "SELECT quote_ident(rolname), concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, "
        "CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END, "
        "CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END) FROM pg_roles"
    )
    return {str(name): str(attributes) for name, attributes in rows if name in names}


def _application_rights(session: Session, role: str) -> dict[str, str]:
    """What the application may do with each table, however it came by it: ownership, membership, PUBLIC."""
    if not session.query("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]):
        return {}
    rights = ", ".join(
        f"CASE WHEN has_table_privilege({literal(role)}, c.oid, '{right}') THEN '{right}' END"
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
    )
    rows = session.query(
        f"SELECT {_RELATION_NAME}, concat_ws(' ', {rights}) FROM {_RELATION} "
        f"WHERE c.relkind IN ('r', 'p', 'v', 'm') AND {_OWN_RELATION}"
    )
    return {str(name): str(found) for name, found in rows}
