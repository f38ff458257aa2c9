import { createHash } from "node:crypto"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { OpenApi } from "effect/http-api"
import { Api } from "./Api.ts"

/** A JSON schema, as far as the page shows it. */
interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly contentSchema?: JsonSchema
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>

interface Operation {
  readonly tags: ReadonlyArray<string>
  readonly description?: string
  readonly parameters: ReadonlyArray<{
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly description?: string
    readonly schema: JsonSchema
  }>
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

/** An OpenAPI document, as far as the page shows it. */
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }

const escaped = (text: string) => text.replaceAll(/[&<>"]/g, (char) => entities[char] ?? char)

/** Text in which backquotes mark code. */
const prose = (text = "") => escaped(text).replaceAll(/`([^`]*)`/g, "<code>$1</code>")

/** A schema in the notation of TypeScript. */
const typeOf = (schema: JsonSchema): string => {
  if (schema.$ref !== undefined) {
    const name = escaped(schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1))
    return `<a href="#${name}">${name}</a>`
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => escaped(JSON.stringify(value))).join(" | ")
  const [first, ...others] = schema.anyOf ?? []
  if (first !== undefined) return [...new Set([first, ...others].map(typeOf))].join(" | ")
  if (schema.items !== undefined) return `Array&lt;${typeOf(schema.items)}&gt;`
  if (schema.properties !== undefined) {
    const fields = Object.entries(schema.properties).map(
      ([name, type]) => `${escaped(name)}${schema.required?.includes(name) === true ? "" : "?"}: ${typeOf(type)}`
    )
    return `<span class="object">{ ${fields.map((field) => `<span>${field}</span>`).join(" ")} }</span>`
  }
  return escaped(schema.type ?? "any")
}

const typesOf = (content: Content | undefined) =>
  Object.entries(content ?? {})
    .map(([media, { schema }]) => `<code>${escaped(media)}</code> ${typeOf(schema)}`)
    .join("<br>")

const table = (caption: string, rows: ReadonlyArray<ReadonlyArray<string>>) =>
  rows.length === 0
    ? ""
    : `<table><caption>${caption}</caption>${rows
        .map(
          ([first, ...cells]) =>
            `<tr><th scope="row">${first}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`
        )
        .join("")}</table>`

const sectionOf = (path: string, method: string, operation: Operation) => {
  const { description, parameters, requestBody, responses } = operation
  return `<section><h3><code>${method.toUpperCase()} ${escaped(path)}</code></h3><p>${prose(description)}.</p>
${table(
  "Parameters",
  parameters.map((one) => [
    `<code>${escaped(one.name)}</code>`,
    `${one.in}${one.required ? ", required" : ""}`,
    typeOf(one.schema),
    prose(one.description)
  ])
)}
${requestBody === undefined ? "" : table("Body", [["JSON", typesOf(requestBody.content)]])}
${table(
  "Answers",
  Object.entries(responses).map(([status, one]) => [status, prose(one.description), typesOf(one.content)])
)}</section>`
}

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
section { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent); overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .875rem; margin-bottom: 1rem }
caption { text-align: start; font-weight: 600 }
th, td { text-align: start; vertical-align: top; padding: .25rem 1rem .25rem 0; font-weight: 400 }
.object > span { display: block; padding-inline-start: 1rem }
`

/** The page for people who write programs: all of the document, without a script, and with nothing from elsewhere. */
export const render = ({ components, info, paths }: OpenApiDocument): string => {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      tag: operation.tags.join(),
      html: sectionOf(path, method, operation)
    }))
  )
  const groups = [...Map.groupBy(operations, ({ tag }) => tag)].map(
    ([tag, all]) => `<h2>${escaped(tag)}</h2>${all.map(({ html }) => html).join("")}`
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<section id="${escaped(name)}"><h3>${escaped(name)}</h3><p>${typeOf(schema)}</p></section>`
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)}: API</title><style>${style}</style></head>
<body><main><h1>${escaped(info.title)}: API ${escaped(info.version)}</h1><p>${prose(info.description)}</p>
<p>Every request needs <code>Authorization: Bearer TOKEN</code>. For programs: <a href="openapi.json">openapi.json</a>.</p>
${groups.join("")}<h2>Schemas</h2>${schemas.join("")}</main></body></html>
`
}

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** Open to everybody, like the document itself. */
export const layer = HttpRouter.add(
  "GET",
  "/api/v1/docs",
  HttpServerResponse.text(render(OpenApi.fromApi(Api) as unknown as OpenApiDocument), {
    contentType: "text/html; charset=utf-8",
    headers: { "content-security-policy": policy }
  })
)
