/** The path under which the platform is served, "/" or "/ops/sextant/". The server writes it into the page. */
export const base: string = (() => {
  const given = document.querySelector<HTMLMetaElement>('meta[name="sextant-base"]')?.content ?? '/'
  return given.endsWith('/') ? given : given + '/'
})()
