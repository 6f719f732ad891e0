/** Addresses of files that are made with the site (site/made/garments-plugin.ts, site/made/opening-plugin.ts). */
declare module "virtual:garments" {
  const url: string;
  export default url;
}
declare module "virtual:garments/small/*" {
  const url: string;
  export default url;
}
declare module "virtual:opening" {
  const url: string;
  export default url;
}
