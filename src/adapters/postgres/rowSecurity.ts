import { tables } from "./tables.ts"

const names = tables.map(({ name }) => `'${name}'`).join(", ")

/** Whether a permissive (or restrictive) policy with this condition applies when this role reads the table. */
const policies = (kind: "polpermissive" | "not polpermissive", condition: string) => `exists (
        select from pg_policy as p where p.polrelid = c.oid and ${kind} and p.polcmd in ('r', '*') and ${condition}
          and exists (select from unnest(p.polroles) as role where role = 0 or pg_has_role(role, 'usage'))
      )`

const qualification = "pg_get_expr(p.polqual, p.polrelid)"

/**
 * The tables of this schema whose rows a policy could hide from this role, as text; NULL if there is none. A policy's
 * condition is not evaluated: unless it is `true`, it hides something now or could later.
 */
export const hiddenTables = (schema: string) => `(
      select string_agg(c.relname, ', ' order by c.relname)
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = '${schema}' and c.relname in (${names}) and c.relrowsecurity and row_security_active(c.oid)
        and (not ${policies("polpermissive", `${qualification} = 'true'`)}
          or ${policies("not polpermissive", `${qualification} <> 'true'`)})
    )`
