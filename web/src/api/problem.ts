export interface FieldProblem {
  path: string
  code?: string
  message: string
  line?: number
  column?: number
}

interface Body {
  status: number
  code: string
  title: string
  detail?: string
  requestId?: string
  fields?: FieldProblem[]
  params?: Record<string, string>
  /** More about it, by code. */
  data?: unknown
}

/** A refusal as the API tells it (RFC 9457). `code` is the key for its translation. */
export class Problem extends Error implements Body {
  status: number
  code: string
  title: string
  requestId?: string
  fields: FieldProblem[]
  params: Record<string, string>
  data?: unknown

  constructor(body: Body) {
    super(body.title)
    this.name = 'Problem'
    this.status = body.status
    this.code = body.code
    this.title = body.title
    this.requestId = body.requestId
    this.fields = body.fields ?? []
    this.params = body.params ?? {}
    this.data = body.data
  }

  static from(body: unknown, status: number): Problem {
    const b = (body ?? {}) as Partial<Body>
    return new Problem({ ...b, status, code: b.code ?? `http.${status}`, title: b.title ?? b.detail ?? `HTTP ${status}` })
  }

  static async of(response: Response): Promise<Problem> {
    return Problem.from(await response.json().catch(() => null), response.status)
  }

  /** The message for a field of a form, by the path that the server names. */
  at(path: string): string | undefined {
    return this.fields.find((f) => f.path === path || f.path === `body.${path}`)?.message
  }
}

/** Makes a Problem of whatever was thrown. */
export function problemOf(cause: unknown): Problem {
  return cause instanceof Problem
    ? cause
    : new Problem({ status: 0, code: 'console.error', title: cause instanceof Error ? cause.message : String(cause) })
}
