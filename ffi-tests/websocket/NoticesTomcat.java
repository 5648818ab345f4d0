/** {@link Notices} in Tomcat, and its form. */
public class NoticesTomcat {
    public static void main(String[] arguments) throws Exception {
        TomcatHost.serve(new String[] {"Notices"}, "http://127.0.0.1:" + Notices.form().getAddress().getPort() + "/");
        System.exit(0);
    }
}
