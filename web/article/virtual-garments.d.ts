/** Addresses of files that garments-plugin.node.ts makes. */
declare module "virtual:garments" {
  const url: string;
  export default url;
}
declare module "virtual:garments/small/*" {
  const url: string;
  export default url;
}
