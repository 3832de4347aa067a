/** The texts of a language, as build.texts.ts puts them together. */
declare module 'virtual:texts/*' {
  const tree: Record<string, unknown>
  export default tree
}
